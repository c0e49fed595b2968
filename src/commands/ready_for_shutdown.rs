//! `readyForShutdown`: the user interface asks every five seconds (`contract/ui.md 0`), with the id that `login` told it.

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Arg, Id, Input, ParamSpec, ParamType, Reply, Value};
use crate::model::entity::{EntityKind, ManagementServerRef};
use crate::views::{self, ReadyForShutdownView};

crate::command! {
    /// Says whether a server can be stopped without anything being lost.
    pub struct ReadyForShutdown {
        /// The server; the gateway that answers without it.
        management_server_id "managementserverid": Option<NamedServer>,
    }
    name "readyForShutdown", since "4.19.0", kind Sync, http Get, response ReadyForShutdownView,
    roles [Admin],
    java "org.apache.cloudstack.api.command.ReadyForShutdownCmd"
}

/// The id of a server. In a database that CloudStack keeps, gateways have no row among the servers, but `login` tells their ids
/// there as well, and any gateway may be asked about any.
#[derive(Clone, Copy, Debug)]
pub enum NamedServer {
    /// One with a row among the servers: the number of the row.
    Server(i64),
    /// A gateway without one: its number.
    Gateway(i64),
}

impl Value for NamedServer {
    const KIND: ParamType = ParamType::Uuid;
    const ENTITY: Option<EntityKind> = Some(EntityKind::ManagementServer);

    async fn convert(input: &Input<'_>, spec: &'static ParamSpec, arg: &Arg<'_>) -> Result<Option<Self>, ApiError> {
        let refusal = match Id::<ManagementServerRef>::convert(input, spec, arg).await {
            Ok(id) => return Ok(id.map(|id| Self::Server(id.number()))),
            Err(refusal) => refusal,
        };
        let Arg::Text(text) = arg else { return Err(refusal) };
        match input.ids.internal_id(EntityKind::Gateway, text).await {
            Ok(Some(number)) => Ok(Some(Self::Gateway(number))),
            _ => Err(refusal),
        }
    }
}

impl SyncCommand for ReadyForShutdown {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let any = (None, None, None);
        let server = match (self.management_server_id, ctx.estate.server_id()) {
            (Some(NamedServer::Server(id)), _) => ctx.store.servers(Some(id), any).await?.into_iter().next(),
            (Some(NamedServer::Gateway(number)), _) | (None, Some(number)) => ctx.store.gateway(number).await?,
            // A gateway that no server has been made for.
            (None, None) => ctx.store.servers(None, any).await?.into_iter().next(),
        };
        let unknown = || ApiError::invalid_parameter("There is no such server, or none at all");
        let server = server.ok_or_else(unknown)?;
        Ok(Reply::one(views::ready_for_shutdown(&ctx.store, &server).await?))
    }
}
