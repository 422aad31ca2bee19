//! [`Decimal`]: numbers as text.

/// The most digits that there can be.
const MOST: usize = 20;

/// A number in decimal digits, which are made without allocating and known before they are needed.
pub(super) struct Decimal {
    digits: [u8; MOST],
    /// Where they begin.
    start: usize,
}

impl Decimal {
    pub(super) fn of(mut number: u64) -> Self {
        let mut digits = [b'0'; MOST];
        let mut start = MOST;
        loop {
            start -= 1;
            digits[start] += (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { digits, start };
            }
        }
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).expect("digits are ASCII")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_written_as_everywhere(number: u64, shift in 0_u32..64) {
            let number = number >> shift;
            let decimal = Decimal::of(number);
            prop_assert_eq!(decimal.as_str(), number.to_string());
        }
    }

    #[test]
    fn so_are_the_least_and_the_greatest() {
        for number in [0, 1, 9, 10, u64::MAX] {
            assert_eq!(Decimal::of(number).as_str(), number.to_string());
        }
    }
}
