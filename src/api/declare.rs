//! The words that declare a command, a group of parameters and an answer.
//!
//! One declaration gives the decoder, the entry in `listApis`, the OpenAPI operation and the default role rule. Doc
//! comments are the public descriptions, so they are written for the people who call the command.

/// The name on the wire: as given, or the field's own.
#[macro_export]
macro_rules! wire_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $wire:literal) => {
        $wire
    };
}

/// Declares a struct of parameters that several commands share.
///
/// ```
/// stackmotion::params! {
///     /// What a list may be narrowed to.
///     pub struct Narrow {
///         /// Only things with this name.
///         name: Option<String>,
///         /// Only things in this zone.
///         zone_id "zoneid": Option<String> [since("4.9"), length(40)],
///     }
/// }
/// ```
///
/// A field that is not an `Option` is required. Options after the type: `since("4.9")`, `length(1024)`,
/// `java("volumeName")`, `hidden(true)`, `not_empty(true)`, `like_id(true)`, `root_only(true)`. A field whose type was declared
/// with `params!` brings all its members.
#[macro_export]
macro_rules! params {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident $($wire:literal)? : $type:ty $([ $($option:ident($value:expr)),+ $(,)? ])?
            ),* $(,)?
        }
    ) => {
        $crate::params! {
            @fields
            $(#[doc = $doc])*
            pub struct $name {
                $(
                    $(#[doc = $field_doc])*
                    $field $($wire)? : $type $([ $($option($value)),+ ])?
                ),*
            }
        }

        impl $crate::api::Param for $name {
            const KIND: $crate::api::ParamType = $crate::api::ParamType::Map;
            const REQUIRED: bool = false;
            const GROUP: Option<&'static [$crate::api::ParamSpec]> = Some(<$name as $crate::api::Params>::PARAMS);

            async fn decode(
                input: &$crate::api::Input<'_>,
                _: &'static $crate::api::ParamSpec,
            ) -> Result<Self, $crate::api::ApiError> {
                <$name as $crate::api::Params>::decode(input).await
            }
        }
    };
    (
        @fields
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident $($wire:literal)? : $type:ty $([ $($option:ident($value:expr)),+ ])?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl $crate::api::Params for $name {
            const PARAMS: &'static [$crate::api::ParamSpec] = &[
                $(
                    $crate::api::ParamSpec::of::<$type>(
                        $crate::wire_name!($field $($wire)?),
                        stringify!($field),
                        concat!($($field_doc),*).trim_ascii(),
                    )
                    $( $(.$option($value))+ )?
                ),*
            ];

            #[allow(unused_variables, unused_mut, reason = "a command without parameters reads nothing")]
            async fn decode(input: &$crate::api::Input<'_>) -> Result<Self, $crate::api::ApiError> {
                let mut specs = <Self as $crate::api::Params>::PARAMS.iter();
                $(
                    let spec = specs.next().expect("one spec was declared for each field");
                    let $field = <$type as $crate::api::Param>::decode(input, spec).await?;
                )*
                Ok(Self { $($field),* })
            }
        }
    };
}

/// Declares a command: its parameters, and after the struct what the world may know about it.
///
/// ```
/// use stackmotion::api::{Bare, SuccessView};
///
/// stackmotion::command! {
///     /// Wakes something up.
///     pub struct Wake {
///         /// Who is to be woken.
///         name: String,
///     }
///     name "wake", since "4.23.0", kind Sync, http Post, response Bare<SuccessView>, roles [Admin],
///     java "org.example.WakeCmd"
/// }
/// ```
///
/// `since` may be left out, and `envelope "name",` may follow it where answers stand in another command's envelope. `response View` is one object, `response [View]` a list, `response Bare<View>` fields without
/// an object name; `media "text/csv",` after it says that there are answers of that kind without an envelope. The result of a job
/// is what `response` says too. `java A admin B` gives another class for root admins.
#[macro_export]
macro_rules! command {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident $($wire:literal)? : $type:ty $([ $($option:ident($value:expr)),+ $(,)? ])?
            ),* $(,)?
        }
        name $api_name:literal,
        $(since $since:literal,)?
        $(envelope $envelope:literal,)?
        kind $kind:ident,
        http $http:ident,
        response $response:ty,
        $(media $media:expr,)?
        roles [$($role:ident),* $(,)?],
        java $java:literal $(admin $admin:literal)? $(,)?
    ) => {
        $crate::params! {
            @fields
            $(#[doc = $doc])*
            pub struct $name {
                $(
                    $(#[doc = $field_doc])*
                    $field $($wire)? : $type $([ $($option($value)),+ ])?
                ),*
            }
        }

        impl $crate::api::Command for $name {
            const SPEC: &'static $crate::api::CommandSpec = &$crate::api::CommandSpec {
                name: $api_name,
                description: concat!($($doc),*).trim_ascii(),
                since: $crate::command!(@since $($since)?),
                foreign_envelope: $crate::command!(@since $($envelope)?),
                kind: $crate::api::Kind::$kind,
                http: $crate::api::Http::$http,
                params: <$name as $crate::api::Params>::PARAMS,
                response: <$response as $crate::api::Answered>::RESPONSE,
                shape: <$response as $crate::api::Answered>::SHAPE,
                media: $crate::command!(@since $($media)?),
                roles: &[$($crate::api::RoleType::$role),*],
                java_class: $java,
                java_class_admin: $crate::command!(@admin $java $($admin)?),
            };
        }
    };
    (@since) => { None };
    (@since $since:expr) => { Some($since) };
    (@admin $java:literal) => { $java };
    (@admin $java:literal $admin:literal) => { $admin };
}

/// Declares an object in answers. Fields are printed in the order of the declaration.
///
/// ```
/// stackmotion::response! {
///     /// A thing that sleeps.
///     pub struct SleeperView as "sleeper" {
///         /// Its id.
///         id: String,
///         /// Since when it sleeps; absent while it is awake.
///         since_when "since": Option<String>,
///     }
/// }
/// ```
///
/// A plain field is always printed, an `Option` only with a value, an empty `Vec` as `[]`. The fields of a
/// [`Group`](crate::api::Group) are printed in its place. Names after the object's, as in
/// `as "sleeper", Default`, are derived as well: views with a hundred fields start empty and are filled group by group.
#[macro_export]
macro_rules! response {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident as $object:literal $(, $derive:ident)* {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident $($wire:literal)? : $type:ty
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone $(, $derive)*)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl $crate::api::Response for $name {
            const SPEC: &'static $crate::api::ResponseSpec = &$crate::api::ResponseSpec {
                type_name: stringify!($name),
                object: $object,
                description: concat!($($doc),*).trim_ascii(),
                fields: &[
                    $(
                        $crate::api::FieldSpec {
                            name: $crate::wire_name!($field $($wire)?),
                            description: concat!($($field_doc),*).trim_ascii(),
                            kind: <$type as $crate::api::Field>::KIND,
                            always: <$type as $crate::api::Field>::ALWAYS,
                            nested: <$type as $crate::api::Field>::NESTED,
                            group: <$type as $crate::api::Field>::GROUP,
                        }
                    ),*
                ],
            };

            fn into_node(self) -> $crate::api::Node {
                let mut fields = Vec::with_capacity(<$name as $crate::api::Response>::SPEC.fields.len());
                $(
                    match ($crate::api::Field::into_field(self.$field), <$type as $crate::api::Field>::GROUP) {
                        (Some($crate::api::Node::Object(members)), Some(_)) => fields.extend(members),
                        (Some(value), _) => {
                            fields.push((::std::borrow::Cow::Borrowed($crate::wire_name!($field $($wire)?)), value));
                        }
                        (None, _) => {}
                    }
                )*
                $crate::api::Node::Object(fields)
            }
        }

        impl $crate::api::Field for $name {
            const KIND: &'static str = "responseobject";
            const NESTED: Option<&'static $crate::api::ResponseSpec> = Some(<$name as $crate::api::Response>::SPEC);

            fn into_field(self) -> Option<$crate::api::Node> {
                Some($crate::api::Response::into_node(self))
            }
        }
    };
}
