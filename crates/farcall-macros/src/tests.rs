//! Mistakes get a message of ours; what is right expands to Rust.

use crate::{fault, message, service};
use proc_macro2::TokenStream;
use quote::quote;

fn derived(input: TokenStream) -> String {
    let tokens = message::expand(input).unwrap_or_else(|e| panic!("{e}"));
    syn::parse2::<syn::File>(tokens.clone()).unwrap_or_else(|e| panic!("{e}: {tokens}"));
    tokens.to_string()
}

fn served(args: TokenStream, item: TokenStream) -> String {
    let tokens = service::try_expand(args, item).unwrap_or_else(|e| panic!("{e}"));
    syn::parse2::<syn::File>(tokens.clone()).unwrap_or_else(|e| panic!("{e}: {tokens}"));
    tokens.to_string()
}

/// Each mistake must be reported with each of its texts.
#[track_caller]
fn refused(result: syn::Result<TokenStream>, texts: &[&str]) {
    let errors = match result {
        Ok(tokens) => panic!("accepted: {tokens}"),
        Err(errors) => errors.into_iter().map(|e| e.to_string()).collect::<Vec<_>>(),
    };
    for text in texts {
        assert!(errors.iter().any(|e| e.contains(text)), "no {text:?} in {errors:#?}");
    }
}

macro_rules! bad_message {
    ({ $($input:tt)* } => $($text:literal),+) => {
        refused(message::expand(quote!($($input)*)), &[$($text),+])
    };
}

macro_rules! bad_method {
    ({ $($method:tt)* } => $($text:literal),+) => {
        refused(
            service::try_expand(quote!(), quote!(trait Arith { $($method)* })),
            &[$($text),+],
        )
    };
}

#[test]
fn messages_need_named_fields() {
    bad_message!({ union U { a: u8 } } => "use an enum");
    bad_message!({ struct Point(i64, i64); } => "write `struct Point { value: … }`");
    derived(quote!(
        struct Nothing;
    ));
}

#[test]
fn numbers_are_checked() {
    bad_message!({ struct A { #[field(1)] a: u8, #[field(1)] b: u8 } }
        => "`a` and `b` both have number 1");
    bad_message!({ struct A { #[field(2)] a: u8, b: u8 } }
        => "`b` has number 2 by its place, which `a` has already");
    bad_message!({ struct A { a: u8, b: u8, #[field(1)] c: u8 } }
        => "`a` has number 1 by its place, which `c` has already");
    bad_message!({ struct A { #[field(0)] a: u8 } } => "1 or more");
    bad_message!({ struct A { #[field(-1)] a: u8 } } => "1 or more");
    bad_message!({ struct A { #[field(536870912)] a: u8 } } => "at most 536870911");
    bad_message!({ struct A { #[field(19000)] a: u8, #[field(19999)] b: u8 } }
        => "19000 among them", "19999 among them");
    derived(quote!(
        struct A {
            #[field(18999)]
            a: u8,
            #[field(20000)]
            b: u8,
        }
    ));
    derived(quote!(
        struct A {
            #[field(536870911)]
            a: u8,
        }
    ));
}

#[test]
fn names_are_checked() {
    bad_message!({ struct A { #[field(name = "a\"b")] a: u8 } } => "JSON would have to escape it");
    bad_message!({ struct A { #[field(json = "<")] a: u8 } } => "`<` cannot stand in a name");
    bad_message!({ struct A { #[field(name = "")] a: u8 } } => "cannot be empty");
    bad_message!({ struct A { #[field(go = "lower")] a: u8 } }
        => "a Go name starts with a capital");
    bad_message!({ struct A { #[field(name = "b")] a: u8, b: u8 } }
        => "`a` and `b` are both called `b` on the wire");
    bad_message!({ struct A { #[field(json = "b")] a: u8, b: u8 } } => "both called `b`");
}

#[test]
fn unknown_options_list_the_known() {
    bad_message!({ struct A { #[field(rename = "b")] a: u8 } }
        => "`rename` means nothing here; to rename, write `name = \"…\"`",
           "(known: `name`, `json`, `go`, `required`, `omit_empty`, `zigzag`, `fixed`, `oneof`,");
    bad_message!({ struct A { #[field(tag = 3)] a: u8 } } => "a number stands alone and first");
    bad_message!({ struct A { #[field(name = "b", 3)] a: u8 } } => "the number comes first");
    bad_message!({ struct A { #[field("b")] a: u8 } } => "a text needs its key");
    bad_message!({ struct A { #[field(name)] a: u8 } } => "`name` takes a text");
    bad_message!({ struct A { #[field(required = true)] a: u8 } } => "write `required` alone");
    bad_message!({ struct A { #[field(name = "b" json = "c")] a: u8 } }
        => "a comma belongs between");
    bad_message!({ struct A { #[field(skip, skip)] a: u8 } } => "given twice");
    bad_message!({ struct A { #[field] a: u8 } } => "write its options in brackets: `#[field(…)]`");
    bad_message!({ struct A { #[message(go_names)] a: u8 } } => "a field takes `#[field(…)]`");
    bad_message!({ #[field(1)] struct A { a: u8 } } => "a type takes `#[message(…)]`");
    bad_message!({ #[message(rename_all = "x")] struct A { a: u8 } }
        => "(known: `name`, `go_names`)");
}

#[test]
fn options_that_exclude_each_other() {
    bad_message!({ struct A { #[field(zigzag, fixed)] a: i64 } } => "an integer travels one way");
    bad_message!({ struct A { #[field(1, skip)] a: i64 } } => "`skip` stands alone");
    bad_message!({ struct A { #[field(1, oneof)] a: Option<B> } } => "its variants are the fields");
    bad_message!({ struct A { #[field(oneof)] a: B } } => "write `Option<B>`");
    bad_message!({ struct A { #[field(fixed)] a: String } } => "is for integers");
    bad_message!({ struct A { #[field(zigzag)] a: Vec<u32> } } => "an unsigned integer has none");
}

#[test]
fn types_no_format_carries() {
    bad_message!({ struct A { a: &'static str } } => "use `String`");
    bad_message!({ struct A<'a> { a: std::borrow::Cow<'a, str> } } => "use `String`");
    bad_message!({ struct A { a: Vec<&str> } } => "a message owns what it holds");
    bad_message!({ struct A { a: i128, b: Option<u128> } }
        => "no format carries `i128`", "no format carries `u128`");
    bad_message!({ struct A { a: char } } => "use `String`, or `u32`");
    bad_message!({ enum A { B(&'static str) } } => "use `String`");
    derived(quote!(
        struct A {
            #[field(skip)]
            a: Option<i128>,
        }
    ));
}

#[test]
fn enums_start_at_zero() {
    bad_message!({ enum Color { Red = 1, Green } }
        => "proto3 enums start at 0", "`Unspecified = 0`");
    bad_message!({ enum Color {} } => "an enum without variants");
    bad_message!({ enum Color { Red, Green = 0 } } => "`Red` and `Green` both have number 0");
    bad_message!({ enum Color { Red = 0, Green = 1 + 1 } } => "must be written as a literal");
    bad_message!({ enum Color { Red = 0, Big = 0x1_0000_0000 } } => "32 bits wide");
    bad_message!({ enum Color { Red, #[field(name = "Red")] Rot } } => "both called `Red`");
    bad_message!({ enum Color { Red, #[field(7)] Green = 7 } } => "the number is given already");
    bad_message!({ enum Color { Red, #[message(other)] Rest(u64) } } => "`Rest(i32)`");
    bad_message!({ enum Color { Red, #[message(other)] A(i32), #[message(other)] B(i32) } }
        => "only one variant");
    bad_message!({ enum Color { Red, #[field(json = "x")] Green } } => "`json` means nothing here");
    bad_message!({ #[message(go_names)] enum Color { Red } } => "an enum travels as a number");
}

#[test]
fn variants_hold_one_value() {
    bad_message!({ enum What { A(u8, u8) } } => "a variant holds one value");
    bad_message!({ enum What { A { x: u8 }, B } } => "a variant holds one value");
    bad_message!({ enum What { A(Option<u8>) } } => "write `A(u8)`");
    bad_message!({ enum What { A(u8) = 5 } } => "write `#[field(…)] A(…)`");
    bad_message!({ enum What { A(u8), #[message(other)] B(i32) } }
        => "an unknown field of a `oneof`");
    bad_message!({ enum What { #[field(3)] A(u8), #[field(3)] B(u8) } }
        => "`a` and `b` both have number 3");
    bad_message!({ enum What { #[field(required)] A(u8) } } => "`required` means nothing here");
    bad_message!({ enum Expr { Neg(Box<Expr>) } } => "values would have no end");
}

#[test]
fn several_mistakes_are_reported_at_once() {
    bad_message!({ struct A { #[field(0)] a: u8, b: i128, #[field(foo)] c: u8 } }
        => "1 or more", "no format carries `i128`", "`foo` means nothing here");
    bad_method!({ fn a(&self); const X: u8; fn b() -> Result<()>; }
        => "a method returns", "a constant", "takes `&self` first");
}

#[test]
fn messages_expand() {
    let tokens = derived(quote! {
        #[message(go_names, name = "shop.Args")]
        struct Args<T> { a: i64, #[field(7, zigzag)] b: Vec<i32>, c: T }
    });
    assert!(tokens.contains("\"shop.Args\"") && tokens.contains("\"\\\"A\\\":\""), "{tokens}");
    assert!(tokens.contains("b\"\\xA1A\"") || tokens.contains("b\"\\xa1A\""), "{tokens}");
    derived(quote!(
        enum Color {
            Red,
            Green = 5,
            #[message(other)]
            Rest(i32),
        }
    ));
    derived(quote!(
        enum What<T> {
            #[field(20)]
            A(T),
            B,
            #[field(22)]
            C(Box<What<T>>),
        }
    ));
    derived(quote!(
        struct Holder {
            a: u8,
            #[field(oneof)]
            what: Option<What<u8>>,
            b: Box<Self>,
        }
    ));
}

#[test]
fn receivers_are_shared() {
    bad_method!({ async fn mul(args: Args) -> Result<Reply>; } => "write `async fn mul(&self, …)`");
    bad_method!({ async fn mul(&mut self) -> Result<Reply>; } => "behind a lock or an atomic");
    bad_method!({ async fn mul(self) -> Result<Reply>; } => "shared by all calls");
    bad_method!({ async fn mul(self: Arc<Self>) -> Result<Reply>; } => "a method takes `&self`");
    bad_method!({ async fn mul<'a>(&'a self) -> Result<Reply>; } => "without a lifetime");
}

#[test]
fn methods_return_results() {
    bad_method!({ async fn mul(&self); } => "a method returns `Result<Reply>`");
    bad_method!({ async fn mul(&self) -> Reply; } => "a method returns `Result<Reply>`");
    bad_method!({ fn mul(&self) -> Result; } => "a method returns `Result<Reply>`");
    bad_method!({ fn mul(&self) -> impl Future<Output = Result<()>>; } => "write `async fn …`");
    bad_method!({ fn mul(&self) -> Result<&str>; } => "use `String`");
}

#[test]
fn parameters_are_plain() {
    bad_method!({ fn f<T>(&self, a: T) -> Result<()>; } => "a method cannot be generic");
    bad_method!({ fn f(&self) -> Result<()> where Self: Sized; } => "a method cannot be generic");
    bad_method!({ fn f(&self, a: impl Into<String>) -> Result<()>; } => "names the type it takes");
    bad_method!({ fn f(&self, (a, b): (u8, u8)) -> Result<()>; } => "a parameter is a plain name");
    bad_method!({ fn f(&self, _: u8) -> Result<()>; } => "a parameter is a plain name");
    bad_method!({ fn f(&self, a: &str) -> Result<()>; } => "a message owns what it holds");
    bad_method!({ fn f(&self, a: u128) -> Result<()>; } => "no format carries `u128`");
    bad_method!({ fn f(&self, cx: Cx) -> Result<()>; } => "write `cx: &Cx`");
    bad_method!({ fn f(&self, cx: &mut Cx) -> Result<()>; } => "write `cx: &Cx`");
    bad_method!({ fn f(&self, a: u8, cx: &Cx) -> Result<()>; } => "right after `&self`");
    bad_method!({ fn f(&self, a: u8, a: u8) -> Result<()>; } => "two parameters have this name");
    bad_method!({ fn f(&self, #[field(3)] a: u8) -> Result<()>; } => "is the message itself");
    bad_method!({ fn f(&self, #[field(2)] a: u8, b: u8) -> Result<()>; } => "`b` has number 2");
    bad_method!({ fn f(&self, #[cfg(x)] a: u8) -> Result<()>; } => "takes `#[field(…)]` only");
}

#[test]
fn streams_are_whole() {
    let down = |answer| {
        let item: syn::TraitItemFn = syn::parse_quote!(async fn f(&self) -> #answer;);
        quote!(#item)
    };
    let bad = |method: proc_macro2::TokenStream, text| {
        let item = quote!(trait Room { #method });
        refused(service::try_expand(quote!(), item), &[text]);
    };
    bad(down(quote!(Result<impl Stream<Item = Line> + Send>)), "the items of a stream are results");
    bad(down(quote!(Result<impl Stream<Item = Result<&str>> + Send>)), "use `String`");
    bad(down(quote!(Result<impl Stream<Item = Result<Line>>>)), "between threads");
    bad(down(quote!(Result<impl Stream + Send>)), "or with a stream");
    bad(down(quote!(Result<impl Iterator<Item = Line>>)), "or with a stream");
    bad(down(quote!(impl Stream<Item = Result<Line>> + Send)), "write `async fn …`");
    bad_method!({ fn f(&self) -> Result<impl Stream<Item = Result<Line>> + Send>; }
        => "write `async fn`");
    bad_method!({ fn f(&self, lines: Inbound<Line>) -> Result<()>; } => "write `async fn`");
    bad_method!({ #[method(blocking)] async fn f(&self, lines: Inbound<Line>) -> Result<()>; }
        => "cannot be `blocking`");
    bad_method!({ #[method(blocking)] fn f(&self, lines: Inbound<Line>) -> Result<()>; }
        => "cannot be `blocking`");
    bad_method!({ async fn f(&self, lines: Inbound) -> Result<()>; } => "`Inbound<Line>`");
    bad_method!({ async fn f(&self, lines: Inbound<u128>) -> Result<()>; } => "no format carries");
    bad_method!({ async fn f(&self, lines: Inbound<Line>, to: u8) -> Result<()>; }
        => "nothing beside it");
    bad_method!({ async fn f(&self, to: u8, lines: Inbound<Line>) -> Result<()>; }
        => "nothing beside it");
    bad_method!({ async fn f(&self, a: Inbound<Line>, b: Inbound<Line>) -> Result<()>; }
        => "nothing beside it");
    bad_method!({ async fn f(&self, lines: Inbound<Line>, cx: &Cx) -> Result<()>; }
        => "right after `&self`");
    bad_method!({ async fn f(&self, #[field(2)] lines: Inbound<Line>) -> Result<()>; }
        => "a stream has no number");
}

#[test]
fn streams_expand() {
    let tokens = served(
        quote!(),
        quote! {
            trait Room {
                async fn history(
                    &self,
                    cx: &Cx,
                    since: Since,
                ) -> Result<impl Stream<Item = Result<Line>> + Send>;
                async fn range(&self, from: u64, to: u64)
                    -> Result<impl futures::Stream<Item = Result<Line, Oops>> + Send, Oops>;
                async fn upload(&self, lines: farcall::Inbound<Line>) -> Result<Summary>;
                async fn talk(
                    &self,
                    cx: &Cx,
                    lines: Inbound<Line>,
                ) -> Result<impl Send + Stream<Item = Result<Line>>>;
            }
        },
    );
    for part in [
        "methods . outbound (& HISTORY",
        "methods . inbound (& UPLOAD",
        "methods . both (& TALK",
        "history (& service , & cx , request) . await",
        "range (& service , request . from , request . to) . await",
        "talk (& service , & cx , items) . await",
        "Ok (stream) => out . pump (stream) . await",
        "pub fn history (& self , since : Since) -> :: farcall :: StreamCall < Since , Line >",
        "-> :: farcall :: StreamCall < RoomRangeArgs , Line >",
        "-> :: farcall :: Upload < Summary >",
        "-> :: farcall :: StreamCall < () , Line >",
        "impl :: farcall :: Stream < Item = Line > + :: core :: marker :: Send + 'static",
    ] {
        assert!(tokens.contains(part), "no `{part}` in {tokens}");
    }
}

#[test]
fn names_of_methods_are_free_and_distinct() {
    bad_method!({ fn connect(&self) -> Result<()>; } => "`#[method(client = \"call_connect\")]`");
    bad_method!({ #[method(client = "meta")] fn a(&self) -> Result<()>; } => "a function `meta`");
    bad_method!({ #[method(client = "a b")] fn a(&self) -> Result<()>; } => "a Rust name");
    bad_method!({ fn a(&self) -> Result<()>; #[method(name = "A")] fn b(&self) -> Result<()>; }
        => "`a` and `b` are both called `A` on the wire");
    bad_method!({ fn a(&self) -> Result<()>; #[method(client = "a")] fn b(&self) -> Result<()>; }
        => "both called `a` on the client");
    bad_method!({ #[method(name = "a/b")] fn a(&self) -> Result<()>; } => "`/` cannot stand");
}

#[test]
fn ways_to_run_are_checked() {
    bad_method!({ #[method(spawn, blocking)] async fn a(&self) -> Result<()>; }
        => "`spawn` and `blocking` exclude each other");
    bad_method!({ #[method(spawn)] fn a(&self) -> Result<()>; } => "write `async fn`");
    bad_method!({ #[method(cached)] fn a(&self) -> Result<()>; }
        => "(known: `name`, `client`, `idempotent`, `blocking`, `spawn`)");
    bad_method!({ unsafe fn a(&self) -> Result<()>; } => "cannot be `unsafe`");
    bad_method!({ extern "C" fn a(&self) -> Result<()>; } => "leave out `extern`");
}

#[test]
fn services_are_traits_of_methods() {
    let bad = |item, text| refused(service::try_expand(quote!(), item), &[text]);
    bad(
        quote!(
            struct Arith;
        ),
        "goes on a trait",
    );
    bad(
        quote!(
            impl Arith for Calculator {}
        ),
        "an `impl` of it needs no attribute",
    );
    bad(
        quote!(
            trait Arith<T> {}
        ),
        "a service cannot be generic",
    );
    bad(
        quote!(
            unsafe trait Arith {}
        ),
        "an unsafe trait",
    );
    bad(
        quote!(
            trait Arith {
                type Reply;
            }
        ),
        "name the types of arguments and replies",
    );
    bad(
        quote!(
            trait Arith {
                const MAX: u8;
            }
        ),
        "a constant does not cross the wire",
    );
    let args = service::try_expand(
        quote!(nam = "x"),
        quote!(
            trait Arith {}
        ),
    );
    refused(args, &["(known: `name`, `go_names`)"]);
    let args = service::try_expand(
        quote!(name = "a b"),
        quote!(
            trait Arith {}
        ),
    );
    refused(args, &["cannot stand in the name of a service"]);
}

#[test]
fn a_mistake_leaves_the_trait() {
    let tokens = service::expand(
        quote!(),
        quote!(
            trait Arith {
                #[method(oops)]
                async fn mul(&self, a: u8) -> Result<u8>;
            }
        ),
    );
    let text = tokens.to_string();
    assert!(text.contains("compile_error") && text.contains("trait Arith"), "{text}");
    assert!(!text.contains("oops)]"), "our attributes are gone: {text}");
}

#[test]
fn services_expand() {
    let tokens = served(
        quote!(name = "chat.Room", go_names),
        quote! {
            /// A room.
            #[cfg(feature = "chat")]
            pub(crate) trait Room: Clone {
                /// Joins.
                #[method(name = "Join", idempotent, client = "match")]
                async fn join(&self, cx: &farcall::Cx, who: String) -> Result<Ticket, Refused>;
                async fn say_hello(&self, to: u64, #[field(9)] text: String) -> Result<()>;
                fn count(&self) -> farcall::Result<u32>;
                #[method(blocking)]
                fn slow(&self, cx: &Cx) -> Result<u32>;
                #[method(blocking)]
                async fn slower(&self) -> Result<u32>;
                #[method(spawn)]
                async fn own(&self) -> Result<u32> {
                    Ok(self.count()? + 1)
                }
            }
        },
    );
    for part in [
        "trait Room : Clone + :: core :: marker :: Send + :: core :: marker :: Sync + 'static",
        "struct RoomServer < S >",
        "struct RoomClient",
        "struct RoomSayHelloArgs { to : u64 , text : String , }",
        "-> impl :: core :: future :: Future < Output = Result < Ticket , Refused > >",
        "service : \"chat.Room\" , name : \"Join\" , argument : \"who\" , idempotent : true",
        "name : \"SayHello\" , argument : \"\"",
        "methods . direct (& COUNT",
        "methods . blocking (& SLOW ,",
        "block_on (< __S as Room > :: slower (& service))",
        "pub fn r#match (& self , who : String) -> :: farcall :: Call < String , Ticket >",
        "{ async move { Ok (self . count () ? + 1) } }",
        "\"Text\"",
    ] {
        assert!(tokens.contains(part), "no `{part}` in {tokens}");
    }
    served(
        quote!(),
        quote!(
            trait Nothing {}
        ),
    );
}

#[test]
fn errors_that_travel() {
    macro_rules! bad_fault {
        ({ $($input:tt)* } => $($text:literal),+) => {
            refused(fault::expand(quote!($($input)*)), &[$($text),+])
        };
    }
    bad_fault!({ struct E; } => "the variants of an enum");
    bad_fault!({ enum E<T> { #[fault(NotFound)] A(T) } } => "no type parameters");
    bad_fault!({ enum E { A } } => "give `A` a code");
    bad_fault!({ #[fault(NotFound)] enum E { A } } => "stands at the variants");
    bad_fault!({ enum E { #[fault("text")] A } } => "the code comes first");
    bad_fault!({ enum E { #[fault(Missing, "text")] A } } => "`Missing` is not a code (known: `C");
    bad_fault!({ enum E { #[fault(NotFound, "a", "b")] A } } => "all there is to say");
    bad_fault!({ enum E { #[fault(NotFound)] #[fault(NotFound)] A } } => "given twice");
    bad_fault!({ enum E { #[fault(NotFound, "{b}")] A { a: u8 } } } => "`{b}` names no field");
    bad_fault!({ enum E { #[fault(NotFound, "{a:?}")] A { a: u8 } } } => "`{a:?}` names no field");
    bad_fault!({ enum E { #[fault(NotFound, "a}")] A } } => "without its `{`");
    bad_fault!({ enum E { #[fault(NotFound, "a")] A, #[fault(NotFound)] B } } => "give this one");
    let good = quote!(
        enum E {
            #[fault(NotFound, "no {a}")]
            A { a: u8 },
            #[fault(Aborted, "b")]
            B,
        }
    );
    let tokens = fault::expand(good).unwrap_or_else(|e| panic!("{e}"));
    syn::parse2::<syn::File>(tokens.clone()).unwrap_or_else(|e| panic!("{e}: {tokens}"));
}
