//! The options of the command line.

use crate::nemesis::Nemesis;

/// The nemeses to run, for how long, and with which seed.
#[derive(Debug)]
pub(crate) struct Options {
    /// The duration of each nemesis; by default its own.
    pub(crate) seconds: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) list: bool,
    chosen: Vec<&'static str>,
    /// Parts of names, as for other tests.
    filters: Vec<String>,
}

impl Options {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            seconds: None,
            seed: sessile_testkit::seed(),
            list: false,
            chosen: Vec::new(),
            filters: Vec::new(),
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
            let number = |text: String| {
                let number = text.parse::<u64>();
                number.map_err(|_| format!("{argument} takes a number, and {text} is none"))
            };
            match argument.as_str() {
                "--seconds" => options.seconds = Some(number(value()?)?),
                "--seed" => options.seed = number(value()?)?,
                "--nemesis" => {
                    let name = value()?;
                    let nemesis = Nemesis::ALL.iter().find(|nemesis| nemesis.name == name);
                    options.chosen.push(nemesis.ok_or_else(|| unknown(&name))?.name);
                }
                "--list" => options.list = true,
                // Options of the usual harness, which this test does not have.
                option if option.starts_with('-') => {}
                filter => options.filters.push(filter.to_owned()),
            }
        }
        Ok(options)
    }

    /// Returns the nemeses that the filters match; without a filter, the short ones.
    pub(crate) fn nemeses(&self) -> impl Iterator<Item = &'static Nemesis> {
        Nemesis::ALL.iter().filter(|nemesis| {
            let fits = |filter: &String| "torture".contains(filter.as_str()) || nemesis.name.contains(filter.as_str());
            match (self.chosen.as_slice(), self.filters.as_slice()) {
                ([], []) => nemesis.short || self.seconds.is_some(),
                ([], filters) => filters.iter().any(fits),
                (chosen, _) => chosen.contains(&nemesis.name),
            }
        })
    }

    /// Returns the command that repeats one of them.
    pub(crate) fn again(&self, nemesis: &Nemesis) -> String {
        let seconds = self.seconds.unwrap_or(nemesis.seconds);
        let (name, seed) = (nemesis.name, self.seed);
        format!("cargo xtask torture redis --nemesis {name} --seconds {seconds} --seed {seed}")
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = Nemesis::ALL.iter().map(|nemesis| nemesis.name).collect();
    format!("there is no nemesis {name}; there are {}", known.join(", "))
}
