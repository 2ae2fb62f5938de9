package spec

// A Lookup finds the values of a field for a form: a list whose objects are shown as choices. It takes its inputs like a
// search takes its bundle.
type Lookup struct {
	*Module
	// Name is what people see of an object; it gets the object as Stripe wrote it.
	Name func(object []byte) string
}

// NewLookup declares a lookup. Its inputs are the fields of def; the value of a choice is the object's id.
func NewLookup(def Def, name func(object []byte) string) *Lookup {
	def.Fields = append(def.Fields, Limit().Default(lookupPage).Max(lookupPage))
	return &Lookup{Module: NewSearch(def), Name: name}
}

// lookupPage is how many choices one answer holds: a page of Stripe's, and as much as a menu can bear.
const lookupPage = 100
