// Writes what Go makes of names: `go run main.go > quoted.jsonl`, with Go 1.26, once.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
)

// Vector is one name: its bytes, the literal of %q, and the text that JSON holds for it.
type Vector struct {
	Bytes  string `json:"bytes"`
	Quoted string `json:"quoted"`
	Text   string `json:"text"`
}

func main() {
	names := []string{
		"", "alice@example.com", `x" of ClusterRole "admin`, `back\slash`, `\" \\" \x00`, "'`", "\a\b\f\n\r\t\v", "\x00\x01\x1f\x7f",
		"Zoë", "日本語", "🔑", "\u200b\u00a0\u2028\ufeff\u00ad", "\u0300", "\ue000", "\ufffd", "\ufffe", "\U0010ffff", "\U000e0001", "\U0001f511\U000f0000",
		"\xff", "a\x80b", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x94", "\xc0\xaf", "\xf4\x90\x80\x80", "é\xe9é",
	}
	for char := rune(0); char < 0x180; char++ {
		names = append(names, string(char))
	}
	random := rand.New(rand.NewSource(1))
	for range 300 {
		name := make([]byte, random.Intn(12))
		random.Read(name)
		names = append(names, string(name))
		runes := make([]rune, random.Intn(8))
		for i := range runes {
			runes[i] = rune(random.Intn(0x110000))
		}
		names = append(names, string(runes))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for _, name := range names {
		vector := Vector{hex.EncodeToString([]byte(name)), fmt.Sprintf("%q", name), name}
		if err := encoder.Encode(vector); err != nil {
			panic(err)
		}
	}
}
