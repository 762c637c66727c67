//! MachineID: devices, batches of them, and decisions.

mod batches;
mod devices;
mod validate;
