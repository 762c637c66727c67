//! Numbers that are not part of the world.

/// A number that does not count when worlds are compared.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uncompared<T>(pub(super) T);

impl<T> PartialEq for Uncompared<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
