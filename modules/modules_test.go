package modules

import "testing"

func TestX(t *testing.T) {
	c, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Module("create-customer")
	_, err = m.Decode([]byte(`{"connection":"conn_x","amount":3,"line1":"x","shipping":{"name":""},"shipping.address.line1":"L","balance":"12.50","tax_exempt":"foo","metadata":"x","coupon":"a","promotion_code":"b"}`), 100)
	t.Log(err)
}
