//! `product`.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::fields::{kept, merged_metadata, texts};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, boolean, clearable, decimal, map, text};
use crate::sandbox::shape::{PRODUCT, change, deleted, filled};
use crate::sandbox::state::State;

const FIELDS: &[Rule] = &[boolean("active"), map("metadata")];
/// What is only kept and shown.
const KEPT: &[Rule] = &[
    clearable("description"),
    clearable("images"),
    text("images.#"),
    clearable("marketing_features"),
    text("marketing_features.#.name"),
    clearable("package_dimensions"),
    decimal("package_dimensions.height"),
    decimal("package_dimensions.length"),
    decimal("package_dimensions.weight"),
    decimal("package_dimensions.width"),
    boolean("shippable"),
    text("statement_descriptor"),
    clearable("tax_code"),
    clearable("unit_label"),
    clearable("url"),
];
const NOT_BUILT: &[&str] = &["default_price_data"];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/products", create)
        .takes(&[FIELDS, KEPT, &[text("name").required(), text("id")]])
        .not_built(NOT_BUILT),
    Route::get("/v1/products", list)
        .takes(&[LIST, &[boolean("active"), text("ids.#"), boolean("shippable"), text("url")]])
        .not_built(NOT_BUILT),
    Route::get("/v1/products/{}", retrieve),
    Route::post("/v1/products/{}", update)
        .takes(&[FIELDS, KEPT, &[text("name"), text("default_price")]])
        .not_built(NOT_BUILT),
    Route::delete("/v1/products/{}", delete),
];

pub fn add(state: &mut State, id: Option<&str>, fields: Value) -> Value {
    let id = id.map_or_else(|| state.new_id("prod_", 14), str::to_owned);
    let mut product = filled(PRODUCT, fields);
    product["id"] = json!(id);
    product["created"] = json!(state.now());
    product["updated"] = json!(state.now());
    state.products.put(&id, product.clone());
    state.emit("product.created", product.clone());
    product
}

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.form.text("id").map(str::to_owned);
    if let Some(id) = id.as_deref().filter(|id| call.state.products.get(id).is_some()) {
        return Err(ApiError::invalid(format!("Product already exists: {id}."))
            .code("resource_already_exists")
            .param("id"));
    }
    let fields = fields(call, &filled(PRODUCT, Value::Null));
    Ok(add(call.state, id.as_deref(), fields))
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let ids = call.form.list("ids");
    let wanted = |row: &&Value| {
        ["active", "shippable", "url"].iter().all(|field| matches(&call.form, row, field))
            && (ids.is_empty() || ids.iter().any(|id| row["id"] == id.as_str()))
    };
    page(&call.form, "/v1/products", call.state.products.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.products.required("product", call.id(), "id").cloned()
}

fn update(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let before = retrieve(call)?;
    if let Some(price) = call.form.text("default_price").filter(|price| call.state.prices.get(price).is_none()) {
        return Err(ApiError::no_such("price", price, "default_price"));
    }
    let (id, mut product) = (call.id().to_owned(), before.clone());
    let mut fields = fields(call, &before);
    fields["updated"] = json!(call.at);
    let previous = change(&mut product, fields);
    call.state.products.put(&id, product.clone());
    call.state.emit_change("product.updated", product.clone(), previous);
    Ok(product)
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let product = retrieve(call)?;
    let id = call.id().to_owned();
    if call.state.prices.newest().any(|price| price["product"] == id.as_str()) {
        let message = "This product cannot be deleted because it has one or more user-created prices.";
        return Err(ApiError::invalid(message));
    }
    call.state.products.remove(&id);
    call.state.emit("product.deleted", product);
    Ok(deleted("product", &id))
}

fn fields(call: &ApiCall<'_>, before: &Value) -> Value {
    let mut fields = kept(before, &call.form, KEPT);
    change(&mut fields, texts(&call.form, &["name", "default_price"]));
    if let Some(active) = call.form.flag("active") {
        fields["active"] = json!(active);
    }
    fields["metadata"] = merged_metadata(&before["metadata"], &call.form);
    fields
}
