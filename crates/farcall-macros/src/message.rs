//! `#[derive(Message)]` on structs: the table of the fields and the walk over them.
//!
//! The walk is the hot path of every format. Schema, indices and shapes are constants in it, so
//! that a format that is monomorphised folds keys into immediate values; the one place that
//! builds a fault's path is cold.

use crate::{
    attrs::{Errors, FieldAttrs, MessageAttrs, Place, other},
    choice, names, oneof,
    table::{self, Entry},
    types::{self, Packed},
};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Data, DataStruct, DeriveInput, Error, Fields, Generics, Ident, Result, Type, parse_quote,
    spanned::Spanned,
};

/// The expansion of the derive.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let attrs = MessageAttrs::read(&input.attrs)?;
    if let Some(lifetime) = input.generics.lifetimes().next() {
        return Err(types::borrowed(lifetime.span()));
    }
    match &input.data {
        Data::Struct(data) => Ok(Struct::read(&input, data, &attrs)?.expand()),
        Data::Enum(data) if choice::is_choice(data) => choice::expand(&input, data, &attrs),
        Data::Enum(data) => oneof::expand(&input, data, &attrs),
        Data::Union(data) => Err(Error::new(
            data.union_token.span,
            "a union does not know which of its fields is set: use an enum, one variant per field",
        )),
    }
}

/// What the impls of a type start with.
pub(crate) struct Head {
    pub(crate) ident: Ident,
    /// The name in schemas.
    pub(crate) name: String,
    /// With the bounds that the impls need.
    pub(crate) generics: Generics,
}

impl Head {
    pub(crate) fn new(input: &DeriveInput, attrs: &MessageAttrs) -> Result<Head> {
        let name = match &attrs.name {
            Some(name) => names::check(&name.value(), name.span()).map(|()| name.value())?,
            None => names::plain(&input.ident),
        };
        let mut generics = input.generics.clone();
        for param in generics.type_params_mut() {
            param.bounds.push(parse_quote!(::farcall::__private::Put));
            param.bounds.push(parse_quote!(::farcall::__private::Take));
        }
        Ok(Head { ident: input.ident.clone(), name, generics })
    }

    /// `Args<T>`.
    pub(crate) fn this(&self) -> TokenStream {
        let (ident, (_, types, _)) = (&self.ident, self.generics.split_for_impl());
        quote!(#ident #types)
    }

    /// `impl<T: …> ::farcall::__private::What for Args<T> where … { body }`.
    pub(crate) fn implement(&self, what: &str, body: &TokenStream) -> TokenStream {
        let (what, ident) = (format_ident!("{what}"), &self.ident);
        let (generics, types, bounds) = self.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #generics ::farcall::__private::#what for #ident #types #bounds { #body }
        }
    }

    /// `Shaped`, `Put` and `Take` of a type that is a message: they lead to the walk.
    pub(crate) fn lead_to_walk(&self, blank: &TokenStream) -> TokenStream {
        let shaped = self.implement(
            "Shaped",
            &quote! {
                const SHAPE: ::farcall::__private::Shape = ::farcall::__private::Shape::Message(
                    || <Self as ::farcall::__private::Message>::SCHEMA,
                );
            },
        );
        let put = self.implement(
            "Put",
            &quote! {
                #[inline(always)]
                fn is_blank(&self) -> bool {
                    false
                }
                #[inline]
                fn put_to<__S: ::farcall::__private::Sink + ?::core::marker::Sized>(
                    &self,
                    _: &'static ::farcall::__private::Shape,
                    to: &mut __S,
                ) {
                    ::farcall::__private::Message::write(self, to)
                }
            },
        );
        let take = self.implement(
            "Take",
            &quote! {
                fn blank() -> Self {
                    #blank
                }
                #[inline]
                fn take_from<__S: ::farcall::__private::Source + ?::core::marker::Sized>(
                    &mut self,
                    _: &'static ::farcall::__private::Shape,
                    from: &mut __S,
                ) -> ::core::result::Result<(), ::farcall::__private::Fault> {
                    ::farcall::__private::Message::read(self, from)
                }
            },
        );
        quote!(#shaped #put #take)
    }

    /// `Message`, from the bodies of its two functions.
    pub(crate) fn message(
        &self,
        schema: &TokenStream,
        write: &TokenStream,
        read: &TokenStream,
    ) -> TokenStream {
        self.implement(
            "Message",
            &quote! {
                const SCHEMA: &'static ::farcall::__private::Schema = #schema;

                fn write<__S: ::farcall::__private::Sink + ?::core::marker::Sized>(
                    &self,
                    to: &mut __S,
                ) {
                    let schema = <Self as ::farcall::__private::Message>::SCHEMA;
                    let ::core::option::Option::Some(mut at) = to.open(schema) else { return };
                    #write
                    to.close(at)
                }

                fn read<__S: ::farcall::__private::Source + ?::core::marker::Sized>(
                    &mut self,
                    from: &mut __S,
                ) -> ::core::result::Result<(), ::farcall::__private::Fault> {
                    let schema = <Self as ::farcall::__private::Message>::SCHEMA;
                    let mut at = from.open(schema)?;
                    #read
                }
            },
        )
    }

    /// The impls, hidden from the scope around them.
    pub(crate) fn enclose(&self, items: &TokenStream) -> TokenStream {
        quote! {
            #[allow(deprecated)]
            const _: () = {
                #items
            };
        }
    }
}

/// A struct, understood.
struct Struct {
    head: Head,
    /// In the order they are written.
    steps: Vec<Step>,
    /// Fields that are not part of the message.
    skipped: Vec<Ident>,
}

/// One thing the walk does.
enum Step {
    Field {
        ident: Ident,
        ty: TokenStream,
        shape: TokenStream,
        /// Where the type is written: errors of the traits it lacks belong there.
        place: Span,
        required: bool,
        entry: Box<Entry>,
    },
    OneOf {
        ident: Ident,
        inner: TokenStream,
        required: bool,
    },
}

impl Struct {
    fn read(input: &DeriveInput, data: &DataStruct, attrs: &MessageAttrs) -> Result<Struct> {
        let fields = match &data.fields {
            Fields::Named(fields) => fields.named.iter().collect(),
            Fields::Unit => Vec::new(),
            Fields::Unnamed(fields) => {
                return Err(Error::new(
                    fields.span(),
                    format!(
                        "the fields of a message need names: write `struct {} {{ value: … }}`",
                        input.ident
                    ),
                ));
            }
        };
        let head = Head::new(input, attrs)?;
        let this = head.this();
        let (mut errors, mut skipped) = (Errors::default(), Vec::new());
        let (mut entries, mut oneofs) = (Vec::new(), Vec::new());
        let mut place = 0;
        for field in fields {
            let Some(ident) = field.ident.clone() else { continue };
            let read = other(&field.attrs, false)
                .and_then(|_| FieldAttrs::read(&field.attrs, Place::Field))
                .and_then(|attrs| match attrs.skip {
                    Some(_) => Ok(attrs),
                    None => types::check(&field.ty).map(|()| attrs),
                });
            // A field that is wrong keeps its place, so that it is not blamed on the others.
            let Some(asked) = errors.take(read) else {
                place += 1;
                continue;
            };
            let ty = types::without_self(&field.ty, &this);
            if asked.skip.is_some() {
                skipped.push(ident);
            } else if let Some(span) = asked.oneof {
                // It is written after the field declared before it: its own numbers are not known
                // here.
                let after = entries.last().map_or(0, |(_, number): &(Step, u32)| *number);
                match types::option_of(&field.ty) {
                    Some(inner) => {
                        let inner = types::without_self(inner, &this);
                        let required = asked.required.is_some();
                        oneofs.push((Step::OneOf { ident, inner, required }, after));
                    }
                    None => errors.at(span, needs_option(&field.ty)),
                }
            } else {
                place += 1;
                let step = own_field(&ident, &field.ty, ty, &asked, place, attrs);
                if let Some((step, number)) = errors.take(step) {
                    entries.push((step, number));
                }
            }
        }
        entries.sort_by_key(|(_, number)| *number);
        for (oneof, after) in oneofs.into_iter().rev() {
            let at = entries.iter().position(|(step, number)| match step {
                Step::Field { .. } => *number > after,
                Step::OneOf { .. } => *number >= after,
            });
            entries.insert(at.unwrap_or(entries.len()), (oneof, after));
        }
        let steps: Vec<Step> = entries.into_iter().map(|(step, _)| step).collect();
        let own: Vec<&Entry> = steps.iter().filter_map(Step::entry).collect();
        table::distinct(&own, &mut errors);
        errors.finish()?;
        Ok(Struct { head, steps, skipped })
    }

    fn expand(&self) -> TokenStream {
        let blanks = self.steps.iter().map(|step| match step {
            Step::Field { ident, ty, place, .. } => quote_spanned! {*place=>
                #ident: <#ty as ::farcall::__private::Take>::blank(),
            },
            Step::OneOf { ident, .. } => quote!(#ident: ::core::option::Option::None,),
        });
        let skipped = &self.skipped;
        let blank = quote! {
            Self { #(#blanks)* #(#skipped: ::core::default::Default::default(),)* }
        };
        let (items, schema) = self.schema();
        let message = self.head.message(&schema, &self.write(), &self.read_walk());
        let rest = self.head.lead_to_walk(&blank);
        self.head.enclose(&quote!(#items #rest #message))
    }

    /// Items to put beside the impls, and the expression of the schema's address.
    fn schema(&self) -> (TokenStream, TokenStream) {
        let name = &self.head.name;
        let own: Vec<&Entry> = self.steps.iter().filter_map(Step::entry).collect();
        let generic = !self.head.generics.params.is_empty();
        if own.len() == self.steps.len() {
            let schema = table::schema(name, &own);
            return match generic {
                true => (TokenStream::new(), quote!(&#schema)),
                false => (
                    quote!(static __SCHEMA: ::farcall::__private::Schema = #schema;),
                    quote!(&__SCHEMA),
                ),
            };
        }
        // The fields of a `oneof` are known to its own derive only; constant evaluation joins them.
        let parts = self.steps.iter().map(|step| match step {
            Step::Field { entry, .. } => {
                let field = entry.field();
                quote!(&[#field])
            }
            Step::OneOf { inner, .. } => quote!(<#inner as ::farcall::__private::OneOf>::FIELDS),
        });
        let parts = quote!(&[#(#parts),*]);
        let len = self.index(self.steps.len());
        if generic {
            // Lengths of arrays may not depend on type parameters: a table with room, cut to size.
            let room = own.len() + 128;
            let schema = quote! {
                &::farcall::__private::Schema {
                    name: #name,
                    fields: (const {
                        &::farcall::__private::tables::flatten::<#room>(#parts)
                    }).split_at(#len).0,
                    dense: &[],
                    sorted: (&[], &[]),
                }
            };
            return (TokenStream::new(), schema);
        }
        let items = quote! {
            const __LEN: usize = #len;
            const __FIELDS: [::farcall::__private::Field; __LEN] =
                ::farcall::__private::tables::flatten(#parts);
            const __DENSE: [u8; ::farcall::__private::tables::dense_len(&__FIELDS)] =
                ::farcall::__private::tables::dense(&__FIELDS);
            const __BY_JSON: [u16; __LEN] =
                ::farcall::__private::tables::sorted(&__FIELDS, true);
            const __BY_NAME: [u16; __LEN] =
                ::farcall::__private::tables::sorted(&__FIELDS, false);
            static __SCHEMA: ::farcall::__private::Schema = ::farcall::__private::Schema {
                name: #name,
                fields: &__FIELDS,
                dense: &__DENSE,
                sorted: (&__BY_JSON, &__BY_NAME),
            };
        };
        (items, quote!(&__SCHEMA))
    }

    /// The index in the table of the first field of a step.
    fn index(&self, step: usize) -> TokenStream {
        let before = &self.steps[..step];
        let own = before.iter().filter_map(Step::entry).count();
        let oneofs: Vec<_> = before
            .iter()
            .filter_map(|step| match step {
                Step::OneOf { inner, .. } => Some(inner),
                Step::Field { .. } => None,
            })
            .collect();
        match oneofs.is_empty() {
            true => quote!(#own),
            false => quote! {
                const { #own #(+ <#oneofs as ::farcall::__private::OneOf>::FIELDS.len())* }
            },
        }
    }

    fn write(&self) -> TokenStream {
        let steps = self.steps.iter().enumerate().map(|(i, step)| {
            let index = self.index(i);
            match step {
                Step::Field { ident, ty, shape, place, required, .. } => {
                    let put = quote_spanned!(*place=> <#ty as ::farcall::__private::Put>);
                    let blank = quote!(#put::is_blank(&self.#ident));
                    // A field that must come is written at zero too, by formats that leave out
                    // what is blank; only an absent value cannot be.
                    let blank = match required {
                        false => blank,
                        true => quote! {
                            const {
                                ::core::matches!(#shape, ::farcall::__private::Shape::Maybe(_))
                            } && #blank
                        },
                    };
                    quote! {
                        if to.field(&mut at, schema, #index, #blank) {
                            #put::put_to(&self.#ident, const { &#shape }, to)
                        }
                    }
                }
                Step::OneOf { ident, inner, .. } => quote! {
                    <#inner as ::farcall::__private::OneOf>::put_one(
                        &self.#ident, #index, schema, &mut at, to,
                    );
                },
            }
        });
        let unused = self.steps.is_empty().then(|| quote!(let _ = &mut at;));
        quote!(#unused #(#steps)*)
    }

    fn read_walk(&self) -> TokenStream {
        if self.steps.is_empty() {
            return quote!(from.field(&mut at, schema).map(|_| ()));
        }
        let seen = |i: usize| format_ident!("seen_{i}");
        let (mut flags, mut arms) = (TokenStream::new(), TokenStream::new());
        let mut missing = TokenStream::new();
        for (i, step) in self.steps.iter().enumerate() {
            let (index, next) = (self.index(i), self.index(i + 1));
            let (required, field) = match step {
                Step::Field { required, entry, .. } => (*required, entry.name.clone()),
                Step::OneOf { required, ident, .. } => (*required, names::plain(ident)),
            };
            let mark = required.then(|| {
                let seen = seen(i);
                flags.extend(quote!(let mut #seen = false;));
                missing.extend(quote! {
                    if !#seen {
                        return ::core::result::Result::Err(::farcall::__private::Fault::new(
                            ::farcall::__private::Why::Missing { field: #field },
                        ));
                    }
                });
                quote!(#seen = true;)
            });
            arms.extend(match step {
                Step::Field { ident, ty, shape, place, .. } => {
                    let take = quote_spanned!(*place=> <#ty as ::farcall::__private::Take>);
                    quote! {
                        if index == #index {
                            #mark
                            #take::take_from(&mut self.#ident, const { &#shape }, from)
                        } else
                    }
                }
                Step::OneOf { ident, inner, .. } => quote! {
                    if (#index..#next).contains(&index) {
                        #mark
                        <#inner as ::farcall::__private::OneOf>::take_one(
                            &mut self.#ident, index - #index, from,
                        )
                    } else
                },
            });
        }
        quote! {
            #flags
            loop {
                let index = from.field(&mut at, schema)?;
                let done = #arms { break };
                if let ::core::result::Result::Err(fault) = done {
                    return ::core::result::Result::Err(fault.in_field(schema.fields[index].name));
                }
            }
            #missing
            ::core::result::Result::Ok(())
        }
    }
}

impl Step {
    fn entry(&self) -> Option<&Entry> {
        match self {
            Step::Field { entry, .. } => Some(entry),
            Step::OneOf { .. } => None,
        }
    }
}

fn own_field(
    ident: &Ident,
    written: &Type,
    ty: TokenStream,
    asked: &FieldAttrs,
    place: usize,
    attrs: &MessageAttrs,
) -> Result<(Step, u32)> {
    let packed: Packed = types::packed(asked.zigzag, asked.fixed, written)?;
    let shape = types::shape(&ty, packed, written.span());
    let (rust, go_names) = (names::plain(ident), attrs.go_names.is_some());
    let entry = Entry::new(&rust, ident.span(), place, asked, go_names, shape.clone())?;
    let (number, required) = (entry.number, asked.required.is_some());
    let entry = Box::new(entry);
    Ok((
        Step::Field { ident: ident.clone(), ty, shape, place: written.span(), required, entry },
        number,
    ))
}

fn needs_option(ty: &Type) -> String {
    let ty = ty.to_token_stream().to_string().replace(' ', "");
    format!("none of a `oneof`'s variants may be set: write `Option<{ty}>`")
}
