//! Enums of a service's words, to which the service may add.

/// Defines an enum of the words that a service is known to use, with a variant `Unknown` that keeps
/// any other word, so that a new word never makes a reply unreadable.
///
/// The enum has `WORDS`, `as_str`, `FromStr`, `From<&str>`, `From<String>`, `Display`, `Serialize` and `Deserialize`.
///
/// ```
/// agent_client_core::open_enum! {
///     /// A colour.
///     pub enum Colour {
///         /// Like the sky.
///         Blue = "blue",
///     }
/// }
/// assert_eq!(Colour::from("blue"), Colour::Blue);
/// assert_eq!(Colour::from("teal").as_str(), "teal");
/// ```
#[macro_export]
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        $visibility enum $name {
            $( $(#[$variant_meta])* $variant, )+
            /// A word that this version of the crate does not know, as the service wrote it.
            Unknown(String),
        }

        impl $name {
            /// The words that are known, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$( $word, )+];

            /// Returns the word as the service writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $word, )+
                    Self::Unknown(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $( $word => Self::$variant, )+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = ::core::convert::Infallible;

            fn from_str(word: &str) -> ::core::result::Result<Self, Self::Err> {
                Ok(Self::from(word))
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::__serde::Serialize for $name {
            fn serialize<S: $crate::__serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::__serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                <String as $crate::__serde::Deserialize>::deserialize(deserializer).map(Self::from)
            }
        }
    };
}
