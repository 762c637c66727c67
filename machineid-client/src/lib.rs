//! machineid-client
