//! How values go to the server and come back: parameters as the server infers their types, rows by their columns' types.

use std::error::Error;

use tokio_postgres::Statement;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::value::{Columns, Param, Value};

type Conversion<T> = Result<T, Box<dyn Error + Sync + Send>>;

/// The values of a statement, by the number of the parameter. One too many or too few is refused.
pub(super) fn bound<'a>(sql: &str, statement: &Statement, params: &'a [&dyn Param]) -> DbResult<Vec<BoundValue<'a>>> {
    let expected = statement.params().len();
    if expected != params.len() {
        return Err(Fault::bare(format!("{} values for {expected} parameters: {sql}", params.len())));
    }
    Ok(params.iter().map(|param| BoundValue(param.value())).collect())
}

/// A value that goes to the server.
#[derive(Debug)]
pub(super) struct BoundValue<'a>(pub(super) Value<'a>);

impl ToSql for BoundValue<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Conversion<IsNull> {
        match (&self.0, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(kind, out),
            (Value::Int(number), &Type::INT2) => i16::try_from(*number)?.to_sql(kind, out),
            (Value::Int(number), &Type::INT8) => number.to_sql(kind, out),
            // No text of a server's holds this letter: what is looked for by it is not there, and what is written stays readable.
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME | &Type::BPCHAR) if text.contains('\0') => {
                text.replace('\0', "\u{fffd}").to_sql(kind, out)
            }
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME | &Type::BPCHAR) => text.to_sql(kind, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            (value, kind) => Err(format!("{value:?} is no {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Conversion<IsNull> {
        self.to_sql(kind, out)
    }
}

/// A value that came from the server.
struct ReadValue<'a>(Value<'a>);

impl<'a> FromSql<'a> for ReadValue<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Conversion<ReadValue<'a>> {
        Ok(ReadValue(match *kind {
            Type::INT8 => Value::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(kind, raw)?.into()),
            Type::OID => Value::Int(u32::from_sql(kind, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(kind, raw)?.into()),
            Type::NUMERIC => Value::Int(whole_number(raw).ok_or("a number is not whole, or too large")?),
            Type::BYTEA => Value::Blob(raw),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR => Value::Text(std::str::from_utf8(raw)?),
            _ => return Err(format!("a column is of the type {kind}, which no table of till's has").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Conversion<ReadValue<'a>> {
        Ok(ReadValue(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A NUMERIC as it comes in binary: how many digits there are, the place of the first, the sign, the scale, and the digits to
/// the base 10,000. The sum of whole numbers is one.
fn whole_number(raw: &[u8]) -> Option<i64> {
    let mut words =
        raw.chunks_exact(2).map(|word| <[u8; 2]>::try_from(word).map(u16::from_be_bytes).unwrap_or_default());
    let (count, weight, sign, _scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let weight = i16::from_be_bytes(weight.to_be_bytes());
    let digits: Vec<u16> = words.take(count.into()).collect();
    let whole = usize::try_from(i32::from(weight) + 1).unwrap_or(0);
    if digits.iter().skip(whole).any(|digit| *digit != 0) {
        return None;
    }
    let amount = (0..whole).try_fold(0_i128, |sum, place| {
        let digit = digits.get(place).copied().unwrap_or_default();
        sum.checked_mul(10_000)?.checked_add(digit.into())
    })?;
    match sign {
        0 => i64::try_from(amount).ok(),
        0x4000 => i64::try_from(-amount).ok(),
        _ => None,
    }
}

impl Columns for tokio_postgres::Row {
    fn name(&self, position: usize) -> Option<&str> {
        self.columns().get(position).map(tokio_postgres::Column::name)
    }

    fn value(&self, position: usize) -> DbResult<Value<'_>> {
        let read: Result<ReadValue<'_>, _> = self.try_get(position);
        read.map(|read| read.0).map_err(|cause| Fault::new("a column cannot be read", cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_read_as_a_whole_number() {
        let number =
            |words: &[i16]| whole_number(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>());
        assert_eq!(number(&[0, 0, 0, 0]), Some(0));
        assert_eq!(number(&[1, 0, 0, 0, 42]), Some(42));
        assert_eq!(number(&[2, 1, 0x4000, 0, 12, 3456]), Some(-123_456));
        assert_eq!(number(&[1, 2, 0, 0, 7]), Some(700_000_000));
        assert_eq!(number(&[2, 0, 0, 2, 1, 5000]), None, "one and a half");
        assert_eq!(number(&[1, 9, 0, 0, 1]), None, "more than 64 bits");
        assert_eq!(number(&[0, 0, -0x4000, 0]), None, "no number");
    }
}
