//! What all lists have in common: the page and the words to search for (`contract/api-protocol.md 6`).

use super::args::Arg;
use super::error::ApiError;
use super::id::{Id, Rows};
use super::param::{Input, Param, ParamSpec, ParamType};
use super::spec::Params;
use crate::model::entity::{DomainRef, ProjectRef};

crate::params! {
    /// The raw page parameters; [`Page`] is what they mean.
    pub struct PageParams {
        /// Only entries that contain this text in one of their main columns.
        keyword: Option<String>,
        /// The number of the page, counted from 1. Needs `pagesize`.
        page: Option<i32>,
        /// How many entries a page has. Needs `page`; `-1` alone means all entries.
        page_size "pagesize": Option<i32>,
    }
}

/// Which part of a list is wanted. Decoded once, the same for every list, and last: its rules are looked at when everything has been
/// converted (`contract/api-protocol.md 5.2`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Text that an entry must contain.
    pub keyword: Option<String>,
    /// Entries to leave out from the start.
    pub offset: i64,
    /// The most entries to print; `None` means all.
    pub limit: Option<i64>,
    /// Whether the call asks for a page, and not for what lists show without one.
    pub is_chosen: bool,
}

impl Param for Page {
    const KIND: ParamType = ParamType::Map;
    const REQUIRED: bool = false;
    const GROUP: Option<&'static [ParamSpec]> = Some(PageParams::PARAMS);

    async fn decode(input: &Input<'_>, _: &'static ParamSpec) -> Result<Self, ApiError> {
        let raw = <PageParams as Params>::decode(input).await?;
        if let Some(Arg::Text(text)) = input.args.get("pagesize")
            && text.is_empty()
        {
            return Err(ApiError::bad_parameter("For input string: \"\""));
        }
        Self::from_params(raw, input.default_page_size)
    }
}

impl Page {
    /// The page of a list that is in memory.
    pub fn cut<T>(&self, all: Vec<T>) -> Vec<T> {
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or_default());
        all.into_iter().skip(offset).take(limit).collect()
    }

    fn from_params(raw: PageParams, default_size: i64) -> Result<Self, ApiError> {
        let PageParams { keyword, page, page_size } = raw;
        let (offset, limit) = match (page, page_size) {
            (None, None) => (0, Some(default_size)),
            (None, Some(-1)) => (0, None),
            (Some(_), Some(-1)) => {
                return Err(ApiError::invalid_parameter(
                    "Can't specify page parameter when pagesize is -1 (Unlimited)",
                ));
            }
            (None, Some(_)) => {
                return Err(ApiError::bad_parameter("\"page\" parameter is required when \"pagesize\" is specified"));
            }
            (Some(_), None) => {
                return Err(ApiError::bad_parameter("\"pagesize\" parameter is required when \"page\" is specified"));
            }
            (_, Some(size)) if i64::from(size) > default_size => {
                return Err(ApiError::invalid_parameter(format!(
                    "Page size can't exceed max allowed page size value: {default_size}"
                )));
            }
            (Some(_), Some(size)) if size < 0 => {
                // CloudStack lets this through to its database, which refuses it with a text about SQL.
                return Err(ApiError::invalid_parameter("The page size must be -1 (all entries) or at least 0"));
            }
            (Some(page), Some(size)) => (i64::from(page.max(1) - 1) * i64::from(size), Some(i64::from(size))),
        };
        Ok(Self { keyword: keyword.filter(|word| !word.is_empty()), offset, limit, is_chosen: page.is_some() })
    }
}

crate::params! {
    /// Whose entries a list shows (`contract/api-protocol.md 6.2`). It stands behind a command's own parameters, and before
    /// its [`Page`]: what stands first is checked first (5.2), and in CloudStack these belong to superclasses.
    pub struct OwnerScope {
        /// Only entries with one of these tags, as `tags[0].key=...` and `tags[0].value=...`.
        tags: Option<Rows>,
        /// Only entries of this project; `-1` means those of all projects the caller may see.
        project_id "projectid": Option<Id<ProjectRef>>,
        /// Only entries of the account with this name, in the given domain or in the caller's own.
        account: Option<String> [java("accountName")],
        /// Everything the caller may see, not only what the caller's account owns.
        list_all "listall": Option<bool>,
        /// Only entries of this domain.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// With a domain: also the domains below it.
        is_recursive "isrecursive": Option<bool> [java("recursive")],
    }
}

crate::params! {
    /// Whose entries a list shows that knows no projects and no tags (`contract/api-protocol.md 6.2`).
    pub struct AccountScope {
        /// Only entries of the account with this name, in the given domain or in the caller's own.
        account: Option<String> [java("accountName")],
        /// Everything the caller may see, not only what the caller's account owns.
        list_all "listall": Option<bool>,
        /// Only entries of this domain.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// With a domain: also the domains below it.
        is_recursive "isrecursive": Option<bool> [java("recursive")],
    }
}

impl From<AccountScope> for OwnerScope {
    fn from(scope: AccountScope) -> Self {
        let AccountScope { account, domain_id, is_recursive, list_all } = scope;
        Self { account, domain_id, is_recursive, list_all, project_id: None, tags: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(page: Option<i32>, page_size: Option<i32>) -> Result<(i64, Option<i64>), String> {
        Page::from_params(PageParams { keyword: None, page, page_size }, 500)
            .map(|page| (page.offset, page.limit))
            .map_err(|error| format!("{} {}", error.cs_code.unwrap(), error.text))
    }

    #[test]
    fn pages_that_make_sense() {
        assert_eq!(page(None, None), Ok((0, Some(500))));
        assert_eq!(page(None, Some(-1)), Ok((0, None)));
        assert_eq!(page(Some(3), Some(20)), Ok((40, Some(20))));
        assert_eq!(page(Some(0), Some(20)), Ok((0, Some(20))));
        assert_eq!(page(Some(-5), Some(20)), Ok((0, Some(20))));
        assert_eq!(page(Some(2), Some(0)), Ok((0, Some(0))));
        assert_eq!(page(Some(i32::MAX), Some(500)), Ok((i64::from(i32::MAX - 1) * 500, Some(500))));
    }

    #[test]
    fn pages_that_do_not() {
        assert_eq!(
            page(Some(1), None).unwrap_err(),
            "9999 \"pagesize\" parameter is required when \"page\" is specified"
        );
        assert_eq!(
            page(None, Some(10)).unwrap_err(),
            "9999 \"page\" parameter is required when \"pagesize\" is specified"
        );
        assert_eq!(
            page(None, Some(501)).unwrap_err(),
            "9999 \"page\" parameter is required when \"pagesize\" is specified"
        );
        assert_eq!(
            page(Some(1), Some(501)).unwrap_err(),
            "4350 Page size can't exceed max allowed page size value: 500"
        );
        assert_eq!(
            page(Some(1), Some(-1)).unwrap_err(),
            "4350 Can't specify page parameter when pagesize is -1 (Unlimited)"
        );
        assert!(page(Some(1), Some(-2)).is_err());
    }
}
