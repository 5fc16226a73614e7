//! An engine's error as an answer: a status code and `{"message": …}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::engine::error::{Error, Kind};

/// What handlers return.
pub type Result<T = Response, E = ApiError> = std::result::Result<T, E>;

/// An engine's error on its way to a client.
#[derive(Debug)]
pub struct ApiError(pub Error);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        ApiError(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            // By HTTP's rules it has no body.
            Kind::NotModified => return StatusCode::NOT_MODIFIED.into_response(),
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Kind::Internal => {
                tracing::warn!("{}", self.0);
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        (status, Json(json!({ "message": self.0.message }))).into_response()
    }
}
