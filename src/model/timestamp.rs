//! Points in time, in whole seconds, UTC: what CloudStack's `datetime` columns hold.

use std::fmt;

use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const SQL: StaticFormatDescription = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const ISO: StaticFormatDescription = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const WIRE: StaticFormatDescription = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+0000");

/// A point in time, UTC, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(PrimitiveDateTime);

impl Timestamp {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
        Self::from_unix(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(Self(PrimitiveDateTime::MIN))
    }

    /// The time `seconds` after 1970-01-01T00:00:00 UTC; `None` beyond the years that can be shown.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        Some(Self(PrimitiveDateTime::new(time.date(), time.time())))
    }

    /// Seconds after 1970-01-01T00:00:00 UTC.
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0.assume_utc().unix_timestamp()
    }

    /// Reads `2026-11-25 19:50:00` (a fraction of a second is dropped).
    #[must_use]
    pub fn from_sql(text: &str) -> Option<Self> {
        PrimitiveDateTime::parse(text.get(..19)?, SQL).ok().map(Self)
    }

    /// `2026-11-25 19:50:00`, as the database has it.
    #[must_use]
    pub fn sql(self) -> String {
        self.0.format(SQL).unwrap_or_default()
    }

    /// `2026-11-25T19:50:00Z`, as ISO 8601 and spreadsheets have it.
    #[must_use]
    pub fn iso(self) -> String {
        self.0.format(ISO).unwrap_or_default()
    }

    /// `2026-11-25T19:50:00+0000`, as the API shows it (`contract/api-protocol.md` 4.2).
    #[must_use]
    pub fn wire(self) -> String {
        self.0.format(WIRE).unwrap_or_default()
    }
}

impl From<PrimitiveDateTime> for Timestamp {
    fn from(time: PrimitiveDateTime) -> Self {
        Self(time)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.wire())
    }
}
