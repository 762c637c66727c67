//! The results as charts.

mod growth;
mod ratios;
mod style;

pub(crate) use self::growth::draw as growth;
pub(crate) use self::ratios::draw as ratios;
