package price

import "testing"

func TestALightParcelIsFree(t *testing.T) {
	if found, _ := tariff(t).Of(1, false); found != 0 {
		t.Errorf("%d cents", found)
	}
}
