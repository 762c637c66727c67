//! The gate in front of a server that speaks streamable HTTP.

mod accept;
mod admit;
mod exchange;
mod respond;
mod running;
mod upstream;

use std::time::Duration;

use machineid_client::CancellationToken;
use tokio::net::TcpListener;

pub use upstream::{HttpServer, InvalidServer};

use crate::denial::CallDenied;
use crate::gate::McpGate;

/// How long the head of a request, and its body, may take to arrive.
const READ_TIME: Duration = Duration::from_secs(30);

impl McpGate {
    /// Serves an MCP endpoint at `listener` that passes requests on to a server elsewhere, until `stop` is
    /// cancelled. Then all connections are closed.
    ///
    /// Requests are answered as the server does: with JSON, or with a stream of events that passes as it
    /// comes. Headers pass in both directions, those for authorization and sessions included, but for
    /// those that concern one connection. The endpoint has the path of the server's.
    ///
    /// A request is refused (403) if its `Host` is not a loopback name or address, the address that
    /// `listener` is bound to, or a [permitted](HttpServer::allow_host) name, or if it has an `Origin`
    /// for which that is not so. A redirection by the server is refused (502), as a client that
    /// followed it would pass by the gate.
    ///
    /// ```no_run
    /// use machins_mcp::{HttpServer, McpGate};
    /// use machineid_client::CancellationToken;
    /// use tokio::net::TcpListener;
    ///
    /// # async fn example(gate: McpGate) -> Result<(), Box<dyn std::error::Error>> {
    /// let server = HttpServer::new("https://tools.example/mcp")?;
    /// let listener = TcpListener::bind("127.0.0.1:8090").await?;
    /// gate.serve_http(listener, server, &CancellationToken::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`CallDenied`] if a device may no longer run and the gate stops on a denial.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        server: HttpServer,
        stop: &CancellationToken,
    ) -> Result<(), CallDenied> {
        accept::serve(self, listener, server, stop).await
    }
}
