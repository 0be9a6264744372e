//! Money back is units back: refunds, disputes and credit notes, in whatever order Stripe reports them.

mod credit_note;
mod reversal;
