//! Equality of JSON values as RFC 6902, section 4.6, defines it for `test`: numbers are equal if their values are.

use serde_json::{Number, Value};

/// Returns whether two values are equal: `1` and `1.0` are, and the order of members does not matter.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => same_number(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(name, value)| right.get::<String>(name).is_some_and(|other| equal(value, other));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

fn same_number(left: &Number, right: &Number) -> bool {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left == right,
        (None, None) => left.as_f64() == right.as_f64(),
        _ => false,
    }
}

/// The value of a number without a fraction, if it is exact.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    let number = number.as_f64()?;
    // Between these, every float without a fraction is an integer that fits.
    let fits = number.fract() == 0.0 && number.abs() < 1e38;
    #[allow(clippy::cast_possible_truncation)]
    fits.then_some(number as i128)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(equal(&json!(1), &json!(1.0)));
        assert!(equal(&json!({"a": [1.0, 2]}), &json!({"a": [1, 2.0]})));
        assert!(equal(&json!(-0.0), &json!(0)));
        assert!(equal(&json!(1e300), &json!(1e300)));
        assert!(!equal(&json!(1), &json!(1.5)));
        assert!(!equal(&json!(1), &json!("1")));
        assert!(!equal(&json!([1]), &json!([1, 1])));
    }

    #[test]
    fn large_integers_are_not_rounded() {
        assert!(!equal(
            &json!(9_007_199_254_740_993_u64),
            &json!(9_007_199_254_740_992_u64)
        ));
        assert!(!equal(&json!(u64::MAX), &json!(-1)));
    }
}
