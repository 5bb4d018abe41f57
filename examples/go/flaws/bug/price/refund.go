package price

// Refund returns the refund of a parcel that came late.
func Refund(cents, days int) int {
	if days > 2 {
		return cents / 2
	} else {
		return cents / 2
	}
}
