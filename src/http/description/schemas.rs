//! Generates JSON Schema from the types of the API. Types of requests and of answers are apart: in an answer, a field that
//! may be null is always there.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;

/// Collects the schemas that have a name.
pub(crate) struct Schemas {
    pub requests: SchemaGenerator,
    pub answers: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Schemas {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        // Generators of clients take a field with a default for one that is always there, so that callers would have to send
        // it. What is meant when it is left out stands in its text.
        let settings = settings.with_transform(RecursiveTransform(|schema: &mut Schema| {
            schema.remove("default");
        }));
        Schemas { requests: settings.clone().into_generator(), answers: settings.for_serialize().into_generator() }
    }
}
