//! What a refused or failed call says to the client, and the one table of its codes.

use std::error::Error;
use std::fmt;

/// Any cause that is worth a log line but not the client's eyes.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Says that key or signature do not fit. The same for every reason, so that nobody learns which part was right.
pub const BAD_CREDENTIALS: &str = "unable to verify user credentials and/or request signature";

/// Says that a session does not show who calls.
pub const UNKNOWN_CALLER: &str = "unable to verify user credentials";

/// What callers who are not root admins see instead of an internal message.
pub const HIDDEN_TEXT: &str = "Internal error executing command, please contact your system administrator";

/// The HTTP status of an error, which is also its `errorcode` (`contract/api-protocol.md 4.6`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum ErrorCode {
    /// The request as such is wrong.
    BadRequest = 400,
    /// Credentials are missing or wrong.
    Unauthorized = 401,
    /// The HTTP method does not fit the command.
    MethodNotAllowed = 405,
    /// The caller used up the calls it may make.
    ApiLimitExceeded = 429,
    /// A name like `x[0].y` could not be taken apart.
    MalformedParameter = 430,
    /// A parameter is missing or has a value that is not accepted.
    Parameter = 431,
    /// The command is unknown or not for this caller.
    UnsupportedAction = 432,
    /// The server takes no new work.
    ServiceUnavailable = 503,
    /// A second factor is needed.
    SecondFactorNeeded = 511,
    /// Something inside failed.
    Internal = 530,
    /// The account may not do this.
    Account = 531,
    /// The account is at a limit.
    AccountResourceLimit = 532,
    /// There is not enough capacity.
    InsufficientCapacity = 533,
    /// A resource does not answer.
    ResourceUnavailable = 534,
    /// A resource could not be allotted.
    ResourceAllocation = 535,
    /// A resource is in use.
    ResourceInUse = 536,
    /// Two network rules contradict each other.
    NetworkRuleConflict = 537,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// The second number of an error, `cserrorcode` (`contract/api-protocol.md 4.7`).
pub mod cs_code {
    /// Anything that went wrong while working.
    pub const RUNTIME: i32 = 4250;
    /// The account is at a limit.
    pub const ACCOUNT_LIMIT: i32 = 4280;
    /// Two operations on the same thing at the same time.
    pub const CONCURRENT_OPERATION: i32 = 4300;
    /// The second factor of a login is wrong.
    pub const SECOND_FACTOR: i32 = 4295;
    /// There is not enough capacity.
    pub const INSUFFICIENT_CAPACITY: i32 = 4325;
    /// A parameter's value is not accepted.
    pub const INVALID_PARAMETER: i32 = 4350;
    /// The caller may not do this.
    pub const PERMISSION_DENIED: i32 = 4365;
    /// A resource could not be allotted.
    pub const RESOURCE_ALLOCATION: i32 = 4370;
    /// A resource is in use.
    pub const RESOURCE_IN_USE: i32 = 4375;
    /// A resource does not answer.
    pub const RESOURCE_UNAVAILABLE: i32 = 4380;
    /// The command itself decided code and text.
    pub const COMMAND: i32 = 9999;
}

/// One entry of `uuidList`: an object the text speaks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorSubject {
    /// The public id (or the value) of the object.
    pub uuid: String,
    /// What the object is to the command, such as `vmId`.
    pub description: String,
}

/// An error as a client sees it, with its cause for the log.
#[derive(Debug)]
pub struct ApiError {
    /// HTTP status and `errorcode`.
    pub code: ErrorCode,
    /// `cserrorcode`; absent for refused credentials.
    pub cs_code: Option<i32>,
    /// `errortext`.
    pub text: String,
    /// Objects the text speaks about.
    pub uuid_list: Vec<ErrorSubject>,
    /// Whether the answer repeats the text in the header `X-Description`.
    pub described: bool,
    /// What was behind it. It is logged once, where the answer is made, and never shown.
    pub cause: Option<BoxError>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.number(), self.text)
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl ApiError {
    /// An error with both codes chosen by the caller. Prefer the constructors that say what happened.
    pub fn new(code: ErrorCode, cs_code: i32, text: impl Into<String>) -> Self {
        Self { code, cs_code: Some(cs_code), text: text.into(), uuid_list: Vec::new(), described: true, cause: None }
    }

    /// 431/4350: the value of a parameter is understood but not accepted.
    pub fn invalid_parameter(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::Parameter, cs_code::INVALID_PARAMETER, text)
    }

    /// 431/9999: a parameter is missing or cannot be read.
    pub fn bad_parameter(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::Parameter, cs_code::COMMAND, text)
    }

    /// 430/9999: a name such as `x[0].y` cannot be taken apart.
    pub fn malformed_parameter(name: &str) -> Self {
        Self::new(
            ErrorCode::MalformedParameter,
            cs_code::COMMAND,
            format!(
                "Unable to decode parameter {name}; if specifying an object array, please use \
                 parameter[index].field=XXX, e.g. userGroupList[0].group=httpGroup"
            ),
        )
    }

    /// 401 without `cserrorcode` and without `X-Description`: key or signature do not fit.
    pub fn bad_credentials() -> Self {
        Self { cs_code: None, described: false, ..Self::new(ErrorCode::Unauthorized, 0, BAD_CREDENTIALS) }
    }

    /// 401 without `cserrorcode` and without `X-Description`: a session whose key is missing or wrong, or whose user may
    /// not work any more.
    pub fn unknown_caller() -> Self {
        Self { text: UNKNOWN_CALLER.to_owned(), ..Self::bad_credentials() }
    }

    /// 531 without `cserrorcode` and without `X-Description`: a login that failed.
    pub fn login_failed(text: impl Into<String>) -> Self {
        Self { cs_code: None, described: false, ..Self::new(ErrorCode::Account, 0, text) }
    }

    /// 432/9999: the role of the caller does not know this command.
    pub fn not_available(command: &str, account_name: &str) -> Self {
        Self::new(
            ErrorCode::UnsupportedAction,
            cs_code::COMMAND,
            format!("The API [{command}] does not exist or is not available for the account {account_name}."),
        )
    }

    /// 432/9999: the caller does not belong to the project that the call names by its public id.
    pub fn not_in_project(command: &str, project: &str) -> Self {
        Self::new(
            ErrorCode::UnsupportedAction,
            cs_code::COMMAND,
            format!(
                "The API [{command}] does not exist or is not available for this account/user in project [{project}]."
            ),
        )
    }

    /// 401/9999: the caller has no role that is known, or the role that it has in the project that the call names does not let
    /// it in.
    pub fn not_for_user(command: &str) -> Self {
        Self::new(
            ErrorCode::Unauthorized,
            cs_code::COMMAND,
            format!("The given command '{command}' either does not exist, is not available for user."),
        )
    }

    /// 432/9999: nobody knows this command.
    pub fn unknown_command(command: &str) -> Self {
        Self::new(ErrorCode::UnsupportedAction, cs_code::COMMAND, format!("Unknown API command: {command}"))
    }

    /// 531/4365: the caller may not touch this object.
    pub fn permission_denied(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::Account, cs_code::PERMISSION_DENIED, text)
    }

    /// 530/4250: something inside failed.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, cs_code::RUNTIME, text)
    }

    /// 530/9999: a command ends with a text of its own.
    pub fn command_failed(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, cs_code::COMMAND, text)
    }

    /// 530/4300: another operation holds the object.
    pub fn concurrent_operation(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, cs_code::CONCURRENT_OPERATION, text)
    }

    /// 533/4325: there is not enough capacity.
    pub fn insufficient_capacity(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::InsufficientCapacity, cs_code::INSUFFICIENT_CAPACITY, text)
    }

    /// 534/4380: a resource does not answer.
    pub fn resource_unavailable(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::ResourceUnavailable, cs_code::RESOURCE_UNAVAILABLE, text)
    }

    /// 535/4370: a resource could not be allotted.
    pub fn resource_allocation(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::ResourceAllocation, cs_code::RESOURCE_ALLOCATION, text)
    }

    /// 536/4375: a resource is in use.
    pub fn resource_in_use(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::ResourceInUse, cs_code::RESOURCE_IN_USE, text)
    }

    /// 429/9999: the caller has as much as it may have at the same time.
    pub fn limit_exceeded(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::ApiLimitExceeded, cs_code::COMMAND, text)
    }

    /// 503/9999: the server takes no new work.
    pub fn service_unavailable(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::ServiceUnavailable, cs_code::COMMAND, text)
    }

    /// The same error with its cause, for the log.
    pub fn caused_by(mut self, cause: impl Into<BoxError>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same error naming an object, in the order of the calls.
    pub fn about(mut self, uuid: impl Into<String>, description: impl Into<String>) -> Self {
        self.uuid_list.push(ErrorSubject { uuid: uuid.into(), description: description.into() });
        self
    }

    /// What the caller may read: messages of faults inside are kept from everyone but root admins (`contract/api-protocol.md 4.6`).
    ///
    /// A text that the command chose itself (9999) is always shown.
    pub fn seen_by(mut self, is_root_admin: bool) -> Self {
        let inner =
            matches!(self.code, ErrorCode::Internal | ErrorCode::InsufficientCapacity | ErrorCode::ResourceUnavailable);
        if inner && !is_root_admin && self.cs_code != Some(cs_code::COMMAND) {
            self.text = HIDDEN_TEXT.to_owned();
        }
        self
    }

    /// The code the error has as the result of a job, where most reasons become 530 (`contract/api-protocol.md 7.4`).
    pub fn job_code(&self) -> ErrorCode {
        match self.cs_code {
            Some(cs_code::COMMAND | cs_code::INVALID_PARAMETER) => self.code,
            _ => ErrorCode::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_texts_are_hidden_from_ordinary_callers() {
        assert_eq!(ApiError::internal("table x is gone").seen_by(false).text, HIDDEN_TEXT);
        assert_eq!(ApiError::internal("table x is gone").seen_by(true).text, "table x is gone");
        assert_eq!(
            ApiError::command_failed("Failed to migrate volume").seen_by(false).text,
            "Failed to migrate volume"
        );
    }

    #[test]
    fn jobs_flatten_codes() {
        assert_eq!(ApiError::permission_denied("no").job_code(), ErrorCode::Internal);
        assert_eq!(ApiError::invalid_parameter("no").job_code(), ErrorCode::Parameter);
        assert_eq!(
            ApiError::new(ErrorCode::ResourceUnavailable, cs_code::COMMAND, "no").job_code(),
            ErrorCode::ResourceUnavailable
        );
        assert_eq!(ApiError::resource_unavailable("no").job_code(), ErrorCode::Internal);
    }
}
