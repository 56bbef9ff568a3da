// Command benchmarks measures gatehouse beside its peers and beside the least
// that anybody could do, and writes a table and a chart. See README.md.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("benchmarks: ")
	short := flag.Bool("short", false, "measure less: an answer within two minutes")
	out := flag.String("out", "", "write the tables, as Markdown, to this `file` instead of standard output")
	svg := flag.String("svg", "", "write the chart to this `file`")
	only := flag.String("run", "", "hold only the contests whose name matches this `regexp`")
	list := flag.Bool("list", false, "list the contests and their contenders")
	who := flag.String("contender", "", "used by the program itself")
	dir := flag.String("dir", "", "used by the program itself")
	flag.Parse()
	if *who != "" {
		id, name, _ := strings.Cut(*who, "\n")
		if err := contend(newWorld(*dir, *short), find(id, name)); err != nil {
			log.Fatal(err)
		}
		return
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	chosen := slices.DeleteFunc(contests(), func(c contest) bool {
		return !pattern.MatchString(c.id)
	})
	if *list {
		for _, c := range chosen {
			fmt.Println(c.id + ": " + c.title)
			for _, who := range c.contenders {
				fmt.Println("\t" + who.name)
			}
		}
		return
	}
	if err := measure(chosen, *short, *out, *svg); err != nil {
		log.Fatal(err)
	}
}

// contests are all there are.
func contests() []contest {
	return slices.Concat(guards(), limits(), issuing(), redisLimits(), servers(), growth(), garbage())
}

// find returns one contender.
func find(id, name string) contender {
	for _, c := range contests() {
		for _, who := range c.contenders {
			if c.id == id && who.name == name {
				return who
			}
		}
	}
	log.Fatalf("there is no contender %q in %q", name, id)
	panic("unreachable")
}

func measure(chosen []contest, short bool, out, svg string) error {
	dir, err := os.MkdirTemp("", "benchmarks")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := newWorld(dir, short)
	defer startRedis(w)()
	p := pace{rounds: 101, round: 10 * time.Millisecond}
	if short {
		p = pace{rounds: 15, round: 4 * time.Millisecond}
	}
	begin := time.Now()
	var all report
	all.pace, all.short = p, short
	for _, c := range chosen {
		if short {
			c.contenders = slices.DeleteFunc(slices.Clone(c.contenders), func(who contender) bool { return who.long })
		}
		log.Printf("%v %s", time.Since(begin).Round(time.Second), c.id)
		all.held = append(all.held, held{c, hold(c, p, func(who contender) (runner, error) { return launch(w, c.id, who) })})
	}
	all.took = time.Since(begin)
	if svg != "" {
		if err := os.WriteFile(svg, []byte(all.chart()), 0o644); err != nil {
			return err
		}
	}
	if out == "" {
		_, err := fmt.Print(all.markdown())
		return err
	}
	return os.WriteFile(out, []byte(all.markdown()), 0o644)
}
