//! `/sessions/{name}/files/{*path}`: single files, in and out.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use catamaran::model::ContainerPath;
use serde::Deserialize;

use crate::problem::Problem;
use crate::state::{App, Named};

/// The file's path, without the slash that it begins with.
#[derive(Deserialize)]
pub struct File {
    path: String,
}

fn path(file: Result<Path<File>, PathRejection>) -> Result<ContainerPath, Problem> {
    let Path(File { path }) = file?;
    Ok(ContainerPath::new(format!("/{path}"))?)
}

/// Writes a file, in place of one that is there. Its directory must be there.
pub async fn write(
    State(app): State<App>,
    named: Result<Named, Problem>,
    file: Result<Path<File>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let (session, path) = (app.session(&named?.0)?, path(file)?);
    session.write_file(&path, body?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a file, whole.
pub async fn read(
    State(app): State<App>,
    named: Result<Named, Problem>,
    file: Result<Path<File>, PathRejection>,
) -> Result<Response, Problem> {
    let (session, path) = (app.session(&named?.0)?, path(file)?);
    let most = u64::try_from(app.settings.body_limit).unwrap_or(u64::MAX);
    let content = session.read_file(&path, most).await?;
    // Whatever it is, no browser may take it for a page of this service.
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, content).into_response())
}
