// Package snapshots keeps what an etcd has a second time, and starts it from there where its data is
// lost or broken.
//
// A snapshot is etcd's own, with its checksum behind it. One is taken when the newest is old enough,
// or older than the time in the file "wanted" (epoch seconds); a number of them is kept. Nothing that
// is there is ever deleted for a restore: broken data is set aside, and only once etcd has failed
// with it twice in a row.
package snapshots

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/snapshot"
	restoring "go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
)

const (
	// Time is what a snapshot's name says of when it was taken, in UTC.
	Time = "2006-01-02T15-04-05Z"

	suffix        = ".db"
	wantedFile    = "wanted"
	failuresFile  = "failures"
	restoredFile  = "restored.json"
	failuresTaken = 2
	lookSeconds   = 1
	callSeconds   = 60
	lockSeconds   = 5
	// Watches of the time before a restore are told that they have missed something ("Disaster
	// recovery", etcd: Kubernetes' informers rely on it).
	revisionBump = 1_000_000_000
)

// Kept is one etcd with its snapshots; Etcd are the options that it is started with.
type Kept struct {
	Directory string
	Every     time.Duration
	Count     int
	Etcd      map[string]string
	Log       *zap.Logger
	Now       func() time.Time
}

// Restored is what "restored.json" says; times are epoch seconds, Why is "lost" or "broken".
type Restored struct {
	At       int64  `json:"at"`
	Snapshot int64  `json:"snapshot"`
	Why      string `json:"why"`
}

// Split takes this package's own options out of etcd's arguments; nil where there are none.
func Split(arguments []string, log *zap.Logger) (*Kept, []string, error) {
	kept := &Kept{Etcd: map[string]string{}, Log: log, Now: time.Now}
	var rest []string
	var failed error
	for _, argument := range arguments {
		name, value, _ := strings.Cut(argument, "=")
		var err error
		switch name {
		case "--snapshots":
			kept.Directory = value
		case "--snapshots-every":
			kept.Every, err = time.ParseDuration(value)
		case "--snapshots-kept":
			kept.Count, err = strconv.Atoi(value)
		default:
			kept.Etcd[strings.TrimPrefix(name, "--")] = value
			rest = append(rest, argument)
		}
		failed = errors.Join(failed, err)
	}
	if kept.Directory == "" {
		return nil, rest, failed
	}
	return kept, rest, failed
}

// Prepare restores the data where that is lost or broken; to be called before etcd starts.
func (k *Kept) Prepare() error {
	failures := k.failures()
	why := ""
	if !k.isThere() {
		why = "lost"
	} else if failures >= failuresTaken {
		if err := k.check(); err != nil {
			k.Log.Warn("etcd's data is broken", zap.Error(err))
			why = "broken"
		}
	}
	if why != "" {
		if err := k.restore(why); err != nil {
			return err
		}
		failures = 0
	}
	return k.write(failuresFile, []byte(strconv.Itoa(failures+1)))
}

// Run takes snapshots until the context ends.
func (k *Kept) Run(ctx context.Context) {
	for {
		if err := k.look(ctx); err != nil {
			k.Log.Warn("no snapshot was taken", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookSeconds * time.Second):
		}
	}
}

// look takes a snapshot if one is due, and forgets the oldest.
func (k *Kept) look(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, callSeconds*time.Second)
	defer cancel()
	if k.failures() > 0 {
		if err := k.answers(call); err != nil {
			return err
		}
		if err := k.write(failuresFile, []byte("0")); err != nil {
			return err
		}
	}
	now := k.Now().UTC().Truncate(time.Second)
	names := k.names()
	if len(names) > 0 {
		newest := taken(names[0])
		if now.Sub(newest) < k.Every && !newest.Before(k.wanted()) {
			return nil
		}
	}
	settings, err := k.settings()
	if err != nil {
		return err
	}
	path := filepath.Join(k.Directory, now.Format(Time)+suffix)
	if _, err := snapshot.SaveWithVersion(call, k.Log, settings, path); err != nil {
		return err
	}
	for _, old := range k.names()[min(len(k.names()), k.Count):] {
		if err := os.Remove(filepath.Join(k.Directory, old)); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kept) settings() (clientv3.Config, error) {
	files := transport.TLSInfo{
		CertFile:      k.Etcd["cert-file"],
		KeyFile:       k.Etcd["key-file"],
		TrustedCAFile: k.Etcd["trusted-ca-file"],
	}
	secure, err := files.ClientConfig()
	url, _, _ := strings.Cut(k.Etcd["advertise-client-urls"], ",")
	return clientv3.Config{Endpoints: []string{url}, TLS: secure, Logger: k.Log}, err
}

// answers returns nil once etcd serves.
func (k *Kept) answers(ctx context.Context) error {
	settings, err := k.settings()
	if err != nil {
		return err
	}
	client, err := clientv3.New(settings)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Get(ctx, "health")
	return err
}

// names of snapshots, the newest first.
func (k *Kept) names() []string {
	entries, _ := os.ReadDir(k.Directory)
	var names []string
	for _, entry := range entries {
		if !taken(entry.Name()).IsZero() {
			names = append(names, entry.Name())
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(names)))
	return names
}

// taken is when the snapshot of this name was; zero where it is no snapshot's.
func taken(name string) time.Time {
	at, err := time.Parse(Time, strings.TrimSuffix(name, suffix))
	if err != nil || !strings.HasSuffix(name, suffix) {
		return time.Time{}
	}
	return at
}

// wanted is how new a snapshot is to be that somebody waits for.
func (k *Kept) wanted() time.Time {
	return time.Unix(int64(k.number(wantedFile)), 0)
}

// failures is how often etcd was started since it has answered last.
func (k *Kept) failures() int {
	return k.number(failuresFile)
}

func (k *Kept) number(name string) int {
	content, _ := os.ReadFile(filepath.Join(k.Directory, name))
	number, _ := strconv.Atoi(strings.TrimSpace(string(content)))
	return number
}

func (k *Kept) write(name string, content []byte) error {
	path := filepath.Join(k.Directory, name)
	if err := os.WriteFile(path+".draft", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".draft", path)
}

func (k *Kept) member(names ...string) string {
	return filepath.Join(append([]string{k.Etcd["data-dir"], "member"}, names...)...)
}

// isThere says whether the data is there, or was never: an etcd without a snapshot is new.
func (k *Kept) isThere() bool {
	database := fileutil.Exist(k.member("snap", "db"))
	return database && wal.Exist(k.member("wal")) || len(k.names()) == 0
}

// check returns what is wrong with the data; nil also where another etcd has it.
func (k *Kept) check() (failed error) {
	defer func() {
		if found := recover(); found != nil {
			failed = fmt.Errorf("%v", found)
		}
	}()
	options := &bolt.Options{ReadOnly: true, Timeout: lockSeconds * time.Second}
	database, err := bolt.Open(k.member("snap", "db"), 0o600, options)
	if errors.Is(err, bolt.ErrTimeout) {
		return nil
	}
	if err != nil {
		return err
	}
	defer database.Close()
	err = database.View(func(tx *bolt.Tx) error {
		var all error
		for each := range tx.Check() {
			all = errors.Join(all, each)
		}
		return all
	})
	if err != nil {
		return err
	}
	_, err = wal.ValidSnapshotEntries(k.Log, k.member("wal"))
	return err
}

// restore has the data as it was in the newest good snapshot; raises where none is good.
func (k *Kept) restore(why string) error {
	draft := filepath.Join(k.Etcd["data-dir"], "restoring")
	var failed error
	for _, name := range k.names() {
		if err := os.RemoveAll(draft); err != nil {
			return err
		}
		err := restoring.NewV3(k.Log).Restore(restoring.RestoreConfig{
			SnapshotPath:        filepath.Join(k.Directory, name),
			Name:                k.Etcd["name"],
			OutputDataDir:       draft,
			PeerURLs:            []string{k.Etcd["initial-advertise-peer-urls"]},
			InitialCluster:      k.Etcd["initial-cluster"],
			InitialClusterToken: "etcd-cluster",
			RevisionBump:        revisionBump,
			MarkCompacted:       true,
		})
		if err != nil {
			k.Log.Warn("a snapshot is not good", zap.String("name", name), zap.Error(err))
			failed = errors.Join(failed, err)
			continue
		}
		return k.replace(draft, Restored{k.Now().Unix(), taken(name).Unix(), why})
	}
	return fmt.Errorf("etcd's data is %s, and no snapshot of it is good: %w", why, failed)
}

// replace sets aside what is there, and has what was restored in its place.
func (k *Kept) replace(draft string, told Restored) error {
	content, err := json.Marshal(told)
	if err != nil {
		return err
	}
	// Told first: killed in between, it restores, and tells, again.
	if err := k.write(restoredFile, content); err != nil {
		return err
	}
	aside := k.member() + ".broken"
	if fileutil.Exist(k.member()) {
		if err := os.RemoveAll(aside); err != nil {
			return err
		}
		if err := os.Rename(k.member(), aside); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(draft, "member"), k.member()); err != nil {
		return err
	}
	return os.RemoveAll(draft)
}
