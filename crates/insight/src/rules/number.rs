//! Conversions between times and shares.

#[expect(clippy::cast_precision_loss, reason = "shares and displayed values need no more than 53 bits")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and negative values become zero"
)]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}
