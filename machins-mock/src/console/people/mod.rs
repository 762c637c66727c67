//! The pages that stand in for the vendors' hosted ones: checkout, claim, and the owner's login.

pub(super) mod checkout;
pub(super) mod claim;
pub(super) mod owner;
