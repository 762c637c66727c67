//! agent-client-core
