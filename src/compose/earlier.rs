//! What later backends of a sequential endpoint need of earlier ones: `{respN_field}`.

use crate::config::model::EarlierField;
use serde_json::{Map, Value};

/// Keeps the fields that are needed of the backend at `index`. A field that is not there stays `None`.
pub(super) fn keep(fields: &[EarlierField], index: usize, data: &Map<String, Value>, values: &mut [Option<String>]) {
    for (field, value) in fields.iter().zip(values).filter(|(field, _)| field.backend == index) {
        *value = find(data, &field.path).map(text);
    }
}

fn find<'d>(data: &'d Map<String, Value>, path: &[String]) -> Option<&'d Value> {
    let (last, before) = path.split_last()?;
    before.iter().try_fold(data, |data, name| data.get(name)?.as_object())?.get(last)
}

/// As KrakenD writes a value into a path: a list with commas between its items. (Its numbers come out in the digits of the
/// answer, where Go's float in exponent form would not be the number that was meant.)
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found_by_their_path_and_written_as_in_a_path() {
        let Value::Object(data) = json!({"id": 42, "user": {"name": "Ann", "tags": ["a", 1]}, "flag": true}) else {
            panic!("an object")
        };
        let field = |backend, path: &str| EarlierField { backend, path: path.split('.').map(str::to_owned).collect() };
        let fields = [
            field(0, "id"),
            field(0, "user.name"),
            field(0, "user.tags"),
            field(0, "flag"),
            field(0, "user.age"),
            field(0, "id.x"),
            field(1, "id"),
        ];
        let mut values = vec![None; fields.len()];
        keep(&fields, 0, &data, &mut values);
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        assert_eq!(values, [Some("42"), Some("Ann"), Some("a,1"), Some("true"), None, None, None]);
    }
}
