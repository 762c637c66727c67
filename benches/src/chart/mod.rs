//! The results as charts.

mod growth;
mod ratios;

pub(crate) use self::growth::draw as growth;
pub(crate) use self::ratios::draw as ratios;
