//! The variables that lead programs to a mock server, for a shell.

use crate::shell_syntax::set_variable;

/// The variables, and the fields of the document about a server that hold their values.
const VARIABLES: [(&str, &str); 6] = [
    ("MACHINS_MOCK_URL", "url"),
    ("MACHINEID_BASE_URL", "machineid_base_url"),
    ("MACHINS_BASE_URL", "machins_base_url"),
    ("MACHINEID_ORG_KEY", "org_key"),
    ("MACHINEID_DEVICE_ID", "device_id"),
    ("MACHINS_API_KEY", "api_key"),
];

/// Returns a command for each variable that there is a value for.
pub(super) fn exports<'a>(field: impl Fn(&str) -> Option<&'a str>) -> String {
    let export =
        |(variable, name): (&str, &str)| Some(set_variable(variable, field(name)?)? + "\n");
    VARIABLES.into_iter().filter_map(export).collect()
}
