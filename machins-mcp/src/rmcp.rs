//! The gate in front of the tools of a server that is written with rmcp.
#![allow(
    deprecated,
    reason = "methods of older revisions of the protocol are passed on like all others"
)]

use std::borrow::Cow;

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
    CancelledNotificationParam, CompleteRequestParams, CompleteResult, ContentBlock,
    CustomNotification, CustomRequest, CustomResult, DiscoverResult, ErrorCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams, GetSkillResult,
    GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
    ReadResourceDirectoryRequestParams, ReadResourceDirectoryResult, ReadResourceRequestParams,
    ReadResourceResponse, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};

use crate::denial::CallDenied;
use crate::reply::DeniedCall;
use crate::tool_gate::ToolGate;

/// A server's handler whose tools are called only if the device is allowed to run.
///
/// Everything but `tools/call` is handled as without it, and over every transport of rmcp.
///
/// ```
/// use machins_mcp::ToolGate;
/// use rmcp::ServerHandler;
///
/// struct MyServer;
///
/// impl ServerHandler for MyServer {}
///
/// # test_support::gate(async |gate| {
/// let server = ToolGate::new(gate).wrap(MyServer); // then server.serve(transport)
/// # let _: machins_mcp::GatedHandler<MyServer> = server;
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct GatedHandler<H> {
    handler: H,
    gate: ToolGate,
}

impl ToolGate {
    /// Puts the gate in front of the tools of a server's handler. A call that is denied is answered with
    /// a tool result that is an error and holds the code.
    #[must_use]
    pub fn wrap<H: ServerHandler>(self, handler: H) -> GatedHandler<H> {
        GatedHandler { handler, gate: self }
    }
}

/// Methods that are handled as without a gate.
macro_rules! pass {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        $(
            async fn $name(
                &self,
                $($argument: $type,)*
                context: RequestContext<RoleServer>,
            ) -> Result<$result, ErrorData> {
                self.handler.$name($($argument,)* context).await
            }
        )+
    };
}

/// Notifications that are handled as without a gate.
macro_rules! pass_notification {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {
        $(
            async fn $name(
                &self,
                $($argument: $type,)*
                context: NotificationContext<RoleServer>,
            ) {
                self.handler.$name($($argument,)* context).await;
            }
        )+
    };
}

impl<H: ServerHandler> ServerHandler for GatedHandler<H> {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (tool, arguments) = (request.name.clone(), request.arguments.clone());
        let client = context.client_info().map(|client| client.name);
        let run = self.handler.call_tool(request, context);
        match self.gate.call_for(client.as_deref(), &tool, &arguments, run).await {
            Ok(response) => response,
            Err(denied) => Ok(refused(&denied).into()),
        }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // A call that could not be read arrives here.
        if request.method == "tools/call" {
            return Err(ErrorData::new(ErrorCode::INVALID_PARAMS, "not a tool call", None));
        }
        self.handler.on_custom_request(request, context).await
    }

    pass! {
        ping() -> ();
        initialize(request: InitializeRequestParams) -> InitializeResult;
        discover() -> DiscoverResult;
        complete(request: CompleteRequestParams) -> CompleteResult;
        set_level(request: SetLevelRequestParams) -> ();
        get_prompt(request: GetPromptRequestParams) -> GetPromptResponse;
        list_prompts(request: Option<PaginatedRequestParams>) -> ListPromptsResult;
        list_resources(request: Option<PaginatedRequestParams>) -> ListResourcesResult;
        list_resource_templates(request: Option<PaginatedRequestParams>)
            -> ListResourceTemplatesResult;
        read_resource(request: ReadResourceRequestParams) -> ReadResourceResponse;
        subscribe(request: SubscribeRequestParams) -> ();
        unsubscribe(request: UnsubscribeRequestParams) -> ();
        list_tools(request: Option<PaginatedRequestParams>) -> ListToolsResult;
        get_task(request: GetTaskParams) -> GetTaskResult;
        update_task(request: UpdateTaskParams) -> ();
        cancel_task(request: CancelTaskParams) -> ();
        list_skills(request: Option<PaginatedRequestParams>) -> ListSkillsResult;
        get_skill(request: GetSkillRequestParams) -> GetSkillResult;
        read_resource_directory(request: ReadResourceDirectoryRequestParams)
            -> ReadResourceDirectoryResult;
    }

    pass_notification! {
        on_cancelled(notification: CancelledNotificationParam);
        on_progress(notification: ProgressNotificationParam);
        on_initialized();
        on_roots_list_changed();
        on_custom_notification(notification: CustomNotification);
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.handler.listen(context).await
    }

    fn negotiate_initialize(
        &self,
        request: &InitializeRequestParams,
    ) -> Result<InitializeResult, ErrorData> {
        self.handler.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.handler.supported_protocol_versions()
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.handler.accepted_subscription_filter(requested)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.handler.get_tool(name)
    }

    fn get_info(&self) -> ServerConfig {
        self.handler.get_info()
    }
}

fn refused(denied: &CallDenied) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(DeniedCall::Waiting.text(denied))])
}
