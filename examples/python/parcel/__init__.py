"""The price of a parcel, as a small HTTP service."""
