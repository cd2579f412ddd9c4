//! `GET /logs`: what a past probe noted and saw.
//!
//! Must not know how it is remembered.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};

use super::{debug::debug_text, endpoints::Endpoints};
use crate::http::{Parameters, plain};

/// What a past probe noted and saw: the one with an `id`, or the latest one of a `target` (and a `module`), or with
/// `failed=true` the latest one that failed.
pub(super) async fn logs(
    State(endpoints): State<Arc<Endpoints>>,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = match Wanted::parse(query.as_deref()) {
        Ok(wanted) => wanted,
        Err(message) => return plain(StatusCode::BAD_REQUEST, format!("{message}\n")),
    };
    let history = endpoints.monitor.history();
    let found = match wanted {
        Wanted::Id(id) => history.get(id),
        Wanted::Latest { target, module, failed } => {
            history.latest(&target, module.as_deref(), failed)
        }
    };
    let Some(remembered) = found else {
        return plain(StatusCode::NOT_FOUND, "no such probe is remembered; see --history.limit\n");
    };
    let config = endpoints.monitor.config();
    let module = config.modules.get(&remembered.record.module);
    plain(StatusCode::OK, debug_text(&remembered, module.map(AsRef::as_ref)))
}

/// Which probe `/logs` is asked for.
#[derive(Debug, PartialEq)]
enum Wanted {
    Id(u64),
    Latest { target: String, module: Option<String>, failed: bool },
}

impl Wanted {
    fn parse(query: Option<&str>) -> Result<Self, String> {
        let bad = |message: &str| Err(message.to_owned());
        let parameters = Parameters::of_query(query);
        if let Some(name) = parameters.duplicate() {
            return bad(&format!("parameter `{}` is given twice", name.escape_debug()));
        }
        let known = ["id", "target", "module", "failed"];
        let mut names = parameters.iter().map(|(name, _)| name);
        if let Some(name) = names.find(|name| !known.contains(name)) {
            let name = name.escape_debug();
            return bad(&format!(
                "parameter `{name}` does not exist; there are {}",
                known.join(", ")
            ));
        }
        match (parameters.first("id"), parameters.first("target")) {
            (Some(_), _) if parameters.iter().count() > 1 => {
                bad("`id` names one probe: no other parameter goes with it")
            }
            (Some(id), _) => match id.parse() {
                Ok(id) => Ok(Self::Id(id)),
                Err(_) => bad("`id` must be a number"),
            },
            (None, Some(target)) if !target.is_empty() => {
                let failed = match parameters.first("failed") {
                    None | Some("false") => false,
                    Some("true") => true,
                    Some(_) => return bad("`failed` must be true or false"),
                };
                let module = parameters.first("module").map(str::to_owned);
                Ok(Self::Latest { target: target.to_owned(), module, failed })
            }
            (None, _) => bad("`id` or `target` is missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_of_the_logs_is_unambiguous() {
        assert_eq!(Wanted::parse(Some("id=7")), Ok(Wanted::Id(7)));
        let latest = |module: Option<&str>, failed| {
            Ok(Wanted::Latest { target: "a".to_owned(), module: module.map(str::to_owned), failed })
        };
        assert_eq!(Wanted::parse(Some("target=a")), latest(None, false));
        assert_eq!(Wanted::parse(Some("target=a&module=m&failed=false")), latest(Some("m"), false));
        assert_eq!(Wanted::parse(Some("failed=true&target=a")), latest(None, true));
        for query in [
            "",
            "id=",
            "id=-1",
            "id=x",
            "id=1&target=a",
            "id=1&module=m",
            "target=",
            "module=m",
            "target=a&failed=yes",
            "target=a&target=b",
            "target=a&instance=b",
        ] {
            assert!(Wanted::parse(Some(query)).is_err(), "{query}");
        }
    }
}
