//! Key types: secrets that begin with the prefix of their kind.

/// Defines the type of a service's keys: a [`Secret`](crate::Secret) that must start with the
/// service's prefix.
///
/// The type has `new`, `FromStr` and `Deserialize`, which check the text, `expose`, a `Debug` that shows no part of the key,
/// and a conversion into [`Secret`](crate::Secret).
///
/// ```
/// agent_client_core::secret_key! {
///     /// A door's key.
///     pub struct DoorKey {
///         name: "door key",
///         prefix: "door_",
///     }
/// }
/// let key = DoorKey::new("door_42")?;
/// assert_eq!(key.expose(), "door_42");
/// assert_eq!(format!("{key:?}"), "DoorKey([REDACTED])");
/// assert!("window_42".parse::<DoorKey>().is_err());
/// # Ok::<(), agent_client_core::Error>(())
/// ```
#[macro_export]
macro_rules! secret_key {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $type:ident {
            name: $name:literal,
            prefix: $prefix:literal,
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone)]
        $visibility struct $type($crate::Secret);

        impl $type {
            #[doc = concat!("Creates the key from its text, which must start with `", $prefix, "`.")]
            /// Whitespace around it is removed.
            ///
            /// # Errors
            /// Returns [`ErrorKind::InvalidInput`](agent_client_core::ErrorKind::InvalidInput) if
            #[doc = concat!("the text is not a valid ", $name, ". The error does not repeat the text.")]
            pub fn new(text: &str) -> ::core::result::Result<Self, $crate::Error> {
                let secret = $crate::Secret::prefixed($prefix, text);
                secret.map(Self).ok_or_else(|| {
                    $crate::Error::new(
                        $crate::ErrorKind::InvalidInput,
                        concat!(
                            "not a valid ", $name, ": it must start with ", $prefix,
                            " and contain no spaces",
                        ),
                    )
                })
            }

            /// Returns the text of the key. Do not store or print the result.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose()
            }
        }

        impl ::core::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(text: &str) -> ::core::result::Result<Self, $crate::Error> {
                Self::new(text)
            }
        }

        impl<'de> $crate::__serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let text = <String as $crate::__serde::Deserialize>::deserialize(deserializer)?;
                Self::new(&text).map_err($crate::__serde::de::Error::custom)
            }
        }

        impl ::core::convert::From<$type> for $crate::Secret {
            fn from(key: $type) -> Self {
                key.0
            }
        }

        impl ::core::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, "{}({:?})", stringify!($type), self.0)
            }
        }
    };
}
