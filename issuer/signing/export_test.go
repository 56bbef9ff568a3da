package signing

import (
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// OfferedAt returns the ids of the keys that a set of KeySet offers to a caller who read
// the clock at a moment.
func OfferedAt(set claims.KeySet, now time.Time) ([]string, error) {
	p, err := set.(*keyring).at(now)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, k := range p.offered {
		ids = append(ids, k.ID())
	}
	return ids, nil
}
