//! The routes under `/api/v1`, and their description (OpenAPI 3.1).

use axum::extract::DefaultBodyLimit;
use serde_json::Value;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, OpenApi as Description, PathItem, Ref, RefOr, Response, ResponseBuilder,
        Server as Address,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::web::{
    LONGEST_BODY, Server, alerts, caller, enrolments, environment, invitation, media, members,
    plays, problem, resources, screens, shapes, sign_in, uploads,
};

/// What the interface is called, and how one shows who one is.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "musebox-house",
        description = "Steers the screens of a house. Errors are problem documents (RFC 9457)."
    ),
    components(schemas(problem::Document)),
    modifiers(&Keys),
    security(("token" = []), ("session" = []))
)]
struct Interface;

/// The ways to show who one is.
struct Keys;

impl Modify for Keys {
    fn modify(&self, description: &mut Description) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API token, or the token of a box."))
            .build();
        let session = ApiKey::Cookie(ApiKeyValue::with_description(
            caller::SESSION_COOKIE,
            "A person who is signed in; what changes something wants X-CSRF-Token, too.",
        ));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    }
}

/// The routes under `/api/v1`, each with its description.
pub fn routes() -> OpenApiRouter<Server> {
    OpenApiRouter::with_openapi(Interface::openapi())
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(sign_in::set_up))
        .routes(routes!(sign_in::me))
        .routes(routes!(invitation::look))
        .routes(routes!(resources::houses, resources::make_house))
        .routes(routes!(
            resources::house,
            resources::change_house,
            resources::remove_house
        ))
        .routes(routes!(resources::environment))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::remove))
        .routes(routes!(members::tokens, members::make_token))
        .routes(routes!(members::revoke_token))
        .routes(routes!(alerts::get, alerts::put))
        .routes(routes!(plays::list))
        .routes(routes!(plays::table))
        .routes(routes!(screens::reports))
        .routes(routes!(screens::command_all))
        .routes(routes!(screens::command_group))
        .routes(routes!(screens::command))
        .routes(routes!(screens::picture))
        .routes(UtoipaMethodRouterExt::layer(
            routes!(screens::send_picture),
            DefaultBodyLimit::max(screens::LARGEST_PICTURE),
        ))
        .routes(routes!(uploads::begin))
        .routes(UtoipaMethodRouterExt::layer(
            routes!(uploads::look, uploads::append, uploads::give_up),
            DefaultBodyLimit::disable(),
        ))
        .routes(routes!(media::get))
        .routes(routes!(media::link))
        .routes(routes!(enrolments::ask))
        .routes(routes!(enrolments::reveal))
        .routes(routes!(enrolments::standing))
        .routes(routes!(enrolments::look_up))
        .routes(routes!(enrolments::approve))
        .routes(routes!(enrolments::refuse))
        .routes(routes!(enrolments::challenge))
        .routes(routes!(enrolments::token))
        .routes(routes!(environment::connect))
        .routes(routes!(resources::list, resources::create))
        .routes(routes!(
            resources::get,
            resources::change,
            resources::remove
        ))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
}

/// The description of the interface.
pub fn openapi() -> Value {
    let (_, mut description) = routes().split_for_parts();
    description.servers = Some(vec![Address::new("/api/v1")]);
    for operation in description.paths.paths.values_mut().flat_map(operations) {
        // Said once for all: what an operation names itself are the answers that need a word more.
        let responses = &mut operation.responses.responses;
        responses.insert(
            "default".to_owned(),
            refusal("the request is refused").into(),
        );
        for (status, response) in responses.iter_mut() {
            if let (true, RefOr::T(response)) = (status.starts_with('4'), response) {
                *response = refusal(&response.description);
            }
        }
    }
    let mut description = serde_json::to_value(description).expect("texts and numbers make JSON");
    if let Some(schemas) = description["components"]["schemas"].as_object_mut() {
        schemas.extend(shapes::all());
    }
    description
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        patch,
        ..
    } = path;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// A refusal, as every operation may answer.
fn refusal(description: &str) -> Response {
    let document = Ref::from_schema_name(problem::Document::name());
    ResponseBuilder::new()
        .description(description)
        .content(problem::MEDIA_TYPE, Content::new(Some(document)))
        .build()
}
