//! `listMigrationHistory`: what was moved, as a list or as a table for a spreadsheet. CloudStack has no such list.

use futures_util::stream;

use super::filters;
use super::list_migrations::MotionScope;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, BoxError, Flow, Page, Pieces, Reply, csv};
use crate::store::{MotionFilter, Store};
use crate::views::{self, MotionView};

/// How many migrations are in memory at once when all of them are told.
const AT_ONCE: i64 = 500;

crate::command! {
    /// Lists migrations that are over, the last begun first, also those whose jobs are not known any more.
    pub struct ListMigrationHistory {
        /// Which migrations.
        scope: MotionScope,
        /// `csv` for a table with one line for each migration, without an envelope.
        format: Option<String>,
        /// Page, and a word in the machine's name or the reason. A table without a page has everything.
        page: Page,
    }
    name "listMigrationHistory", kind Sync, http Get, response [MotionView], media csv::MEDIA,
    roles [Admin],
    java "org.stackmotion.api.command.ListMigrationHistoryCmd"
}

impl SyncCommand for ListMigrationHistory {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        filters::root_admins_only(ctx)?;
        let is_table = match self.format.as_deref() {
            None | Some("") => false,
            Some(word) if word.eq_ignore_ascii_case("csv") => true,
            Some(word) => {
                return Err(ApiError::invalid_parameter(format!(
                    "{word} is no format of a history: say csv, or nothing"
                )));
            }
        };
        let window = filters::window(&self.page, None);
        let filter = self.scope.filter(Some(true), self.page.keyword)?;
        if is_table && !self.page.is_chosen {
            return Ok(table(everything(ctx.store.clone(), filter)));
        }
        let (count, ids) = ctx.store.motions_page(&filter, window).await?;
        if !is_table {
            return Ok(Reply::list(count, views::motions(&ctx.store, &ids).await?));
        }
        let page = views::history_lines(&ctx.store, &ids, true).await?;
        Ok(table(Box::pin(stream::iter([Ok(page)]))))
    }
}

fn table(pieces: Pieces) -> Reply {
    Reply::Flow(Flow { media: csv::MEDIA, file_name: Some("migrations.csv"), pieces })
}

/// Where a table has come to.
struct Place {
    store: Store,
    filter: MotionFilter,
    before: Option<i64>,
    is_over: bool,
}

/// All migrations, part by part: the next part is looked up when the client has taken the one before.
fn everything(store: Store, filter: MotionFilter) -> Pieces {
    let place = Place { store, filter, before: None, is_over: false };
    Box::pin(stream::try_unfold(place, async |mut place| {
        if place.is_over {
            return Ok::<_, BoxError>(None);
        }
        let ids = place.store.motions_before(&place.filter, place.before, AT_ONCE).await?;
        let lines = views::history_lines(&place.store, &ids, place.before.is_none()).await?;
        place.is_over = ids.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
        place.before = ids.last().copied().or(place.before);
        Ok(Some((lines, place)))
    }))
}
