//! Points in time as clients write them (`contract/api-protocol.md 2.2 and 5.4`).

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// Reads the formats accepted for `expires` and for dates with a zone.
///
/// Accepted: `2030-01-02T03:04[:05[.fraction]]` with `Z` or `+hh:mm`; `...T03:04:05+0000`; the same with exactly six
/// digits of fraction; `...T03:04:05Z+0000`. Everything else is `None`.
pub fn parse_with_zone(text: &str) -> Option<OffsetDateTime> {
    let (day, rest) = text.split_once('T')?;
    let day = parse_day(day)?;
    let mark = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at(mark);
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let with_seconds = clock.len() == 8;
    let (zone, is_iso) = match zone {
        "Z" => ("+0000", true),
        _ => match zone.strip_prefix('Z') {
            Some(zone) if fraction.is_none() => (zone, false),
            Some(_) => return None,
            None => (zone, zone.contains(':')),
        },
    };
    if !is_iso && (!with_seconds || fraction.is_some_and(|digits| digits.len() != 6)) {
        return None;
    }
    let offset = parse_offset(zone)?;
    let time = parse_clock(clock)?;
    let nanos = match fraction {
        Some(digits) => parse_fraction(digits)?,
        None => 0,
    };
    let time = time.replace_nanosecond(nanos).ok()?;
    Some(PrimitiveDateTime::new(day, time).assume_offset(offset))
}

/// Reads a parameter of type date: with a zone, as `yyyy-MM-dd HH:mm:ss` in UTC, or the day that the text begins with. In
/// the latter two, numbers below ten may have one digit: `2030-1-2 3:04:05`.
///
/// A day alone means its first second, or its last when `end_of_day` is set.
pub fn parse_parameter(text: &str, end_of_day: bool) -> Option<OffsetDateTime> {
    if let Some(when) = parse_with_zone(text) {
        return Some(when);
    }
    let (day, rest) = day_at_start(text)?;
    let clock = rest.strip_prefix(' ').and_then(short_clock);
    let time = match clock {
        Some(time) => time,
        None if end_of_day => Time::from_hms(23, 59, 59).ok()?,
        None => Time::MIDNIGHT,
    };
    Some(PrimitiveDateTime::new(day, time).assume_utc())
}

/// A number of at most `most` digits at the start, and what follows it.
fn number_at_start(text: &str, most: usize) -> Option<(u32, &str)> {
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(len)?;
    Some((number.parse().ok()?, rest))
}

/// The day that a text begins with, and the rest.
fn day_at_start(text: &str) -> Option<(Date, &str)> {
    let (year, rest) = number_at_start(text, 4).filter(|(_, rest)| text.len() - rest.len() == 4)?;
    let (month, rest) = number_at_start(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number_at_start(rest.strip_prefix('-')?, 2)?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    Some((date, rest))
}

/// `h:m:s` and nothing else, or `hh:mm`.
fn short_clock(text: &str) -> Option<Time> {
    let (hour, rest) = number_at_start(text, 2)?;
    let (minute, rest) = number_at_start(rest.strip_prefix(':')?, 2)?;
    let Some((second, "")) = rest.strip_prefix(':').and_then(|rest| number_at_start(rest, 2)) else {
        return parse_clock(text);
    };
    let part = |number: u32| u8::try_from(number).ok();
    Time::from_hms(part(hour)?, part(minute)?, part(second)?).ok()
}

fn digits(text: &str, len: usize) -> Option<u32> {
    if text.len() != len || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn parse_day(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    if parts.next().is_some() {
        return None;
    }
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

fn parse_clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let mut number = |required: bool| match parts.next() {
        Some(part) => digits(part, 2).and_then(|value| u8::try_from(value).ok()),
        None if required => None,
        None => Some(0),
    };
    let (hour, minute, second) = (number(true)?, number(true)?, number(false)?);
    if parts.next().is_some() {
        return None;
    }
    Time::from_hms(hour, minute, second).ok()
}

fn parse_fraction(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    let value = digits(text, text.len())?;
    Some(value * 10_u32.pow(9 - u32::try_from(text.len()).ok()?))
}

fn parse_offset(text: &str) -> Option<UtcOffset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let text = text.get(1..)?;
    let (hours, minutes) = match text.split_once(':') {
        Some(parts) => parts,
        None => (text.get(..2)?, text.get(2..)?),
    };
    let hours = i8::try_from(digits(hours, 2)?).ok()?;
    let minutes = i8::try_from(digits(minutes, 2)?).ok()?;
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn wire(when: OffsetDateTime) -> String {
        Timestamp::from_unix(when.unix_timestamp()).unwrap().wire()
    }

    #[test]
    fn accepted_and_refused_forms_of_expires() {
        for good in [
            "2030-01-02T03:04:05Z",
            "2030-01-02T03:04:05+00:00",
            "2030-01-02T03:04:05-07:30",
            "2030-01-02T03:04Z",
            "2030-01-02T03:04:05.123Z",
            "2030-01-02T03:04:05+0000",
            "2030-01-02T03:04:05-0730",
            "2030-01-02T03:04:05.123456+0000",
            "2030-01-02T03:04:05Z+0000",
        ] {
            assert!(parse_with_zone(good).is_some(), "{good}");
        }
        for bad in [
            "2030-01-02T03:04:05.123+0000",
            "2030-01-02T03:04:05",
            "2030-01-02 03:04:05",
            "2030-01-02",
            "20300102T030405Z",
            "2030-01-02T03:04+0000",
            "",
            "T",
            "2030-13-02T03:04:05Z",
            "2030-01-02T25:04:05Z",
            "ü030-01-02T03:04:05Z",
        ] {
            assert!(parse_with_zone(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn zones_are_applied() {
        let when = parse_with_zone("2030-01-02T03:04:05-0730").unwrap();
        assert_eq!(wire(when), "2030-01-02T10:34:05+0000");
    }

    #[test]
    fn days_alone_have_a_first_and_a_last_second() {
        assert_eq!(wire(parse_parameter("2030-01-02", false).unwrap()), "2030-01-02T00:00:00+0000");
        assert_eq!(wire(parse_parameter("2030-01-02T03:04:05", true).unwrap()), "2030-01-02T23:59:59+0000");
        assert_eq!(wire(parse_parameter("2030-01-02 03:04:05", true).unwrap()), "2030-01-02T03:04:05+0000");
        for (text, meant) in [
            ("2030-1-2", "2030-01-02T00:00:00+0000"),
            ("2030-1-12 3:4:5", "2030-01-12T03:04:05+0000"),
            ("2030-01-02 03:04", "2030-01-02T03:04:00+0000"),
            // What is no time of day is ignored, like anything behind a day.
            ("2030-1-2 25:00:00", "2030-01-02T00:00:00+0000"),
            ("2030-1-2 3:4:5 UTC", "2030-01-02T00:00:00+0000"),
            ("2030-01-02ä", "2030-01-02T00:00:00+0000"),
        ] {
            assert_eq!(wire(parse_parameter(text, false).unwrap()), meant, "{text}");
        }
        for bad in ["2030-1", "2030-1-", "2030-13-1", "2030-2-30", "30-1-2", "20300-1-2", "2030--1-2", "+030-1-2", ""] {
            assert!(parse_parameter(bad, false).is_none(), "{bad}");
        }
        assert!(parse_parameter("yesterday", false).is_none());
        assert!(parse_parameter("ääääääääää", false).is_none());
    }
}
