//! `machins deliver`.

use clap::{ArgGroup, Args, ValueHint};
use machins_client::{Delivery, Document, Extra};

use super::trade::change;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::url;
use crate::json_flag;

/// Deliver what was bought
///
/// The flag depends on the type of the listing: --result for a task, --data for data,
/// --endpoint-url with --credentials for an api or a model, --tx-id for an asset. --payload
/// delivers any JSON object. Instead of JSON, - reads it from stdin and @FILE from a file.
#[derive(Debug, Args)]
#[command(override_usage = "machins deliver [OPTIONS] <ID>")]
#[command(
    after_help = "Examples:\n  machins deliver b7e69f58 --result '{\"sentiment\": \"positive\"}'\n  \
                        machins deliver b7e69f58 --result-text 'positive'\n  \
                        echo '\"positive\"' | machins deliver b7e69f58 --result -"
)]
#[command(group = ArgGroup::new("delivery").required(true))]
pub(crate) struct Deliver {
    /// Id of the trade, or a unique prefix of at least 6 characters
    #[arg(value_name = "ID")]
    id: String,
    /// Result of a task, as JSON
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, group = "delivery")]
    result: Option<String>,
    /// Result of a task, as text: it is delivered as a JSON string. - reads it from stdin, @FILE from a
    /// file
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, group = "delivery")]
    result_text: Option<String>,
    /// Data: a JSON array of rows
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, group = "delivery")]
    data: Option<String>,
    /// URL of the api or model
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = url, group = "delivery")]
    endpoint_url: Option<String>,
    /// JSON object with the credentials for the URL, if it needs any; - reads it from stdin and @FILE
    /// from a file, where other users cannot see it
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, requires = "endpoint_url")]
    credentials: Option<String>,
    /// Id of the transaction that transferred an asset
    #[arg(long, value_name = "ID", group = "delivery")]
    tx_id: Option<String>,
    /// Any payload: a JSON object
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, group = "delivery")]
    payload: Option<String>,
}

impl Deliver {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let delivery = self.delivery()?;
        change(context, &self.id, |client, id| client.deliver_trade(id, &delivery))
    }

    /// The delivery that the flags describe. clap lets exactly one kind through.
    fn delivery(&self) -> Result<Delivery, Failure> {
        if let Some(text) = &self.result_text {
            let text = json_flag::given("--result-text", text)?;
            // The line break that ends the last line is no part of a text.
            let text = text.strip_suffix('\n').unwrap_or(&text);
            return Ok(Delivery::task(text.strip_suffix('\r').unwrap_or(text)));
        }
        let flags = (&self.result, &self.data, &self.endpoint_url, &self.tx_id, &self.payload);
        Ok(match flags {
            (Some(text), ..) => Delivery::task(json_flag::value("--result", text)?),
            (_, Some(text), ..) => {
                let data = json_flag::value("--data", text)?;
                let rows: Vec<Document> = data.to().map_err(|_| {
                    let kind = json_flag::kind(&data);
                    Failure::usage(format!("--data must be an array of rows, not {kind}"))
                })?;
                Delivery::data(rows)
            }
            (_, _, Some(url), ..) => {
                let credentials = match self.credentials.as_deref() {
                    Some(text) => json_flag::secret_object("--credentials", text)?,
                    // The API requires the object even if it is empty.
                    None => Extra::default(),
                };
                // An api and a model are delivered in the same form.
                Delivery::api(url, credentials)
            }
            (_, _, _, Some(id), _) => Delivery::asset(id),
            (_, _, _, _, Some(text)) => Delivery::payload(json_flag::object("--payload", text)?),
            _ => return Err(Failure::usage("nothing to deliver")),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_flag_delivers_its_kind() {
        let none = || Deliver {
            id: String::new(),
            result: None,
            result_text: None,
            data: None,
            endpoint_url: None,
            credentials: None,
            tx_id: None,
            payload: None,
        };
        let body = |deliver: Deliver| json!(deliver.delivery().unwrap());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            body(Deliver { result: some("\"x\""), ..none() }),
            json!({"payload": {"result": "x"}})
        );
        assert_eq!(
            body(Deliver { result_text: some("it's {fine}"), ..none() }),
            json!({"payload": {"result": "it's {fine}"}})
        );
        assert_eq!(
            body(Deliver { data: some("[1]"), ..none() }),
            json!({"payload": {"data": [1]}})
        );
        assert_eq!(
            body(Deliver {
                endpoint_url: some("https://a.example"),
                credentials: some("{\"t\": 1}"),
                ..none()
            }),
            json!({"endpoint_url": "https://a.example", "credentials": {"t": 1}})
        );
        assert_eq!(
            body(Deliver { tx_id: some("0xabc"), ..none() }),
            json!({"transaction_proof": {"tx_id": "0xabc"}})
        );
        assert_eq!(
            body(Deliver { payload: some("{\"any\": []}"), ..none() }),
            json!({"payload": {"any": []}})
        );
        assert!(Deliver { data: some("{}"), ..none() }.delivery().is_err());
        assert!(Deliver { payload: some("1"), ..none() }.delivery().is_err());
        assert!(none().delivery().is_err());
    }
}
