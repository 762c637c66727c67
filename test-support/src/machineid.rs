//! Clients and gates of an org on the Free plan.

use machineid_client::{Client, ClientBuilder, DeviceId, Gate, OrgKey, blocking};
use machins_mock::{MockServer, Plan};

use crate::{Result, block_on, mock_server};

/// Runs an example with a client of a new org.
pub fn machineid(example: impl AsyncFnOnce(Client) -> Result) {
    let server = mock_server();
    block_on(async { example(builder(&server).build()?).await });
}

/// Runs an example with a blocking client of a new org.
pub fn machineid_blocking(example: impl FnOnce(blocking::Client) -> Result) {
    let server = mock_server();
    let client = builder(&server).build_blocking().expect("the client can be built");
    example(client).expect("the example succeeds");
}

/// Runs an example with a gate that registers its device, `agent-01`.
pub fn gate(example: impl AsyncFnOnce(Gate) -> Result) {
    machineid(async |client| {
        let device = DeviceId::new("agent-01")?;
        example(Gate::new(&client, device).register_on_start()).await
    });
}

/// Runs an example with a blocking gate that registers its device, `agent-01`.
pub fn gate_blocking(example: impl FnOnce(blocking::Gate) -> Result) {
    machineid_blocking(|client| {
        let device = DeviceId::new("agent-01")?;
        example(blocking::Gate::new(&client, device).register_on_start())
    });
}

fn builder(server: &MockServer) -> ClientBuilder {
    let org = server.create_org(Plan::Free);
    let key = OrgKey::new(org.key()).expect("the mock's keys are well-formed");
    Client::builder().org_key(key).base_url(server.machineid_base_url())
}
