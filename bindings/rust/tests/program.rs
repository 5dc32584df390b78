//! A real program on the C library's heap as #[global_allocator]: a JSON round trip, and maps and strings churned by
//! threads. It runs itself again over the system's allocator: both must come to the same digest.
use kernel_alloc::Global;
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Global, or the system's allocator if the environment says so; one of them for the whole process.
struct Chosen;

static CALLS: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn getenv(name: *const u8) -> *const u8;
}

fn system() -> bool {
    unsafe { !getenv("KA_TEST_SYSTEM_ALLOCATOR\0".as_ptr()).is_null() }
}

unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if system() {
            return System.alloc(layout);
        }
        CALLS.fetch_add(1, Ordering::Relaxed);
        Global.alloc(layout)
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if system() {
            System.dealloc(block, layout)
        } else {
            Global.dealloc(block, layout)
        }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if system() {
            System.realloc(block, layout, size)
        } else {
            Global.realloc(block, layout, size)
        }
    }
}

#[global_allocator]
static ALLOCATOR: Chosen = Chosen;

#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Number(number) => write!(out, "{number}").unwrap(),
            Json::Text(text) => write!(out, "{text:?}").unwrap(),
            Json::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i != 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(fields) => {
                out.push('{');
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i != 0 {
                        out.push(',');
                    }
                    write!(out, "{name:?}:").unwrap();
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Reads what `write` writes.
    fn read(text: &str) -> (Json, &str) {
        let until = |end: &[char]| text.find(|c| end.contains(&c)).unwrap_or(text.len());
        match text.as_bytes()[0] {
            b'n' => (Json::Null, &text[4..]),
            b'"' => {
                let end = 1 + text[1..].find('"').unwrap();
                (Json::Text(text[1..end].to_string()), &text[end + 1..])
            }
            b'[' => {
                let (mut items, mut rest) = (Vec::new(), &text[1..]);
                while !rest.starts_with(']') {
                    let (item, after) = Json::read(rest.trim_start_matches(','));
                    items.push(item);
                    rest = after;
                }
                (Json::List(items), &rest[1..])
            }
            b'{' => {
                let (mut fields, mut rest) = (BTreeMap::new(), &text[1..]);
                while !rest.starts_with('}') {
                    let (name, after) = Json::read(rest.trim_start_matches(','));
                    let (value, after) = Json::read(&after[1..]);
                    if let Json::Text(name) = name {
                        fields.insert(name, value);
                    }
                    rest = after;
                }
                (Json::Object(fields), &rest[1..])
            }
            _ => (Json::Number(text[..until(&[',', ']', '}'])].parse().unwrap()), &text[until(&[',', ']', '}'])..]),
        }
    }
}

/// xorshift64; after Marsaglia (2003).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn json(&mut self, depth: u64) -> Json {
        match self.below(if depth == 0 { 3 } else { 5 }) {
            0 => Json::Null,
            1 => Json::Number(self.below(u64::MAX)),
            2 => Json::Text("x".repeat(self.below(300) as usize)),
            3 => Json::List((0..self.below(8)).map(|_| self.json(depth - 1)).collect()),
            _ => Json::Object((0..self.below(8)).map(|i| (format!("field {i}"), self.json(depth - 1))).collect()),
        }
    }
}

fn mix(digest: u64, text: &str) -> u64 {
    text.bytes().fold(digest, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn work() -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325;
    let mut random = Random(42);
    for _ in 0..200 {
        let json = random.json(5);
        let mut text = String::new();
        json.write(&mut text);
        let (again, rest) = Json::read(&text);
        assert!(again == json && rest.is_empty());
        digest = mix(digest, &text);
    }
    let shared = Arc::new(Mutex::new(BTreeMap::new()));
    let threads: Vec<_> = (0..4u64)
        .map(|number| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let mut random = Random(number + 1);
                let mut own = HashMap::new();
                for step in 0..20_000 {
                    let key = random.below(2_000);
                    if random.below(3) == 0 {
                        own.remove(&key);
                    } else {
                        own.entry(key).or_insert_with(String::new).push_str(&format!("{step} "));
                    }
                    if step % 100 == 0 {
                        // Strings made here are dropped by whoever replaces them.
                        shared.lock().unwrap().insert((number, step % 1_000), format!("{key} by {number}"));
                    }
                }
                own.into_iter().collect::<BTreeMap<_, _>>()
            })
        })
        .collect();
    for thread in threads {
        digest = mix(digest, &format!("{:?}", thread.join().unwrap()));
    }
    let shared = shared.lock().unwrap();
    mix(digest, &format!("{shared:?}"))
}

#[test]
fn digest() {
    println!("digest {:016x}", work());
}

#[test]
fn as_with_the_system_allocator() {
    let ours = format!("digest {:016x}", work());
    assert_eq!(ours, format!("digest {:016x}", work()));
    let calls = CALLS.load(Ordering::Relaxed); // of these two: what other tests do meanwhile is luck
    assert!(system() || calls > 100_000, "only {calls} calls reached the library");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "digest", "--nocapture"])
        .env("KA_TEST_SYSTEM_ALLOCATOR", "1")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(words.contains(&ours), "{ours} here; over the system's allocator:\n{words}");
}

/// The value, of which the compiler knows nothing: an allocation that is not looked at may be left out.
fn opaque<T: Copy>(value: T) -> T {
    unsafe { std::ptr::read_volatile(&value) }
}

#[test]
fn a_fallible_collection_gets_an_error() {
    let mut numbers: Vec<u64> = Vec::new();
    let before = numbers.try_reserve(10).map(|()| numbers.as_ptr());
    assert!(numbers.try_reserve(opaque(usize::MAX / 32)).is_err());
    assert_eq!(Ok(opaque(numbers.as_ptr())), before);
}
