package rules

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const node = "node"

func podAt(name, address string, labels map[string]string) *core.Pod {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "default", Labels: labels},
		Spec: core.PodSpec{NodeName: node, Containers: []core.Container{
			{Ports: []core.ContainerPort{{Name: "http", ContainerPort: 8080}}},
		}},
		Status: core.PodStatus{Phase: core.PodRunning, PodIP: address},
	}
}

func policy(name string, spec networking.NetworkPolicySpec) *networking.NetworkPolicy {
	return &networking.NetworkPolicy{ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "default"}, Spec: spec}
}

func compiled(pods []*core.Pod, strict bool, policies ...*networking.NetworkPolicy) string {
	namespaces := []*core.Namespace{{ObjectMeta: meta.ObjectMeta{Name: "default"}}}
	return Compile(Cluster{Pods: pods, Namespaces: namespaces, Policies: policies}, node, strict)
}

// Whatever numbers are taken from whatever others: what is left is those that are in one alone.
func TestSpansAreSetsOfNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	some := func() spans {
		var found spans
		for range random.IntN(5) {
			first := uint32(random.IntN(40))
			found = append(found, span{first, first + uint32(random.IntN(8))})
		}
		return found
	}
	contains := func(given spans, number uint32) bool {
		return slices.ContainsFunc(given, func(each span) bool { return each.first <= number && number <= each.last })
	}
	for range 2000 {
		one, other := some(), some()
		joined, left := one.joined(), one.without(other)
		for number := range uint32(50) {
			if contains(joined, number) != contains(one, number) {
				t.Fatal(one, joined, number)
			}
			if contains(left, number) != (contains(one, number) && !contains(other, number)) {
				t.Fatal(one, other, left, number)
			}
		}
		for index := 1; index < len(joined); index++ {
			if joined[index].first <= joined[index-1].last+1 {
				t.Fatal("two could be one", joined)
			}
		}
	}
}

func TestTheWholeInternetIsOneSpan(t *testing.T) {
	found, is4 := blockSpan("0.0.0.0/0")
	if !is4 || found != (span{0, 1<<32 - 1}) {
		t.Error(found)
	}
	if _, is4 := blockSpan("2001:db8::/32"); is4 {
		t.Error("pods have IPv4 alone")
	}
	if left := (spans{found}).without(spans{found}); len(left) != 0 {
		t.Error(left)
	}
	if text := (spans{found, {7, 7}}).listed(addressText); text != "0.0.0.0-255.255.255.255" {
		t.Error(text)
	}
}

func TestTheSameClusterInAnyOrderMakesTheSameTable(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var pods []*core.Pod
	for number := range 6 {
		pods = append(pods, podAt(fmt.Sprint("pod", number), fmt.Sprintf("10.0.0.%d", number+1), map[string]string{"app": fmt.Sprint(number % 2)}))
	}
	pods = append(pods, podAt("late", "", nil), podAt("later", "", nil))
	peers := []networking.NetworkPolicyPeer{{PodSelector: &meta.LabelSelector{MatchLabels: map[string]string{"app": "1"}}}}
	policies := []*networking.NetworkPolicy{
		policy("one", networking.NetworkPolicySpec{Ingress: []networking.NetworkPolicyIngressRule{{From: peers}}}),
		policy("two", networking.NetworkPolicySpec{Egress: []networking.NetworkPolicyEgressRule{{To: peers}}}),
	}
	first := compiled(pods, false, policies...)
	for range 20 {
		random.Shuffle(len(pods), func(one, other int) { pods[one], pods[other] = pods[other], pods[one] })
		random.Shuffle(len(policies), func(one, other int) { policies[one], policies[other] = policies[other], policies[one] })
		if again := compiled(pods, false, policies...); again != first {
			t.Fatal(first, again)
		}
	}
}

func TestPodsThatPoliciesDoNotSelectAreNotInTheWay(t *testing.T) {
	text := compiled([]*core.Pod{podAt("one", "10.0.0.1", nil)}, false)
	if strings.Contains(text, "vmap") || strings.Contains(text, "@known drop") {
		t.Error(text)
	}
}

func TestPodsOfOtherNodesOfTheHostsNetworkAndEndedOnesAreNotIsolated(t *testing.T) {
	other, host, ended := podAt("a", "10.0.0.1", nil), podAt("b", "10.0.0.2", nil), podAt("c", "10.0.0.3", nil)
	other.Spec.NodeName = "other"
	host.Spec.HostNetwork = true
	ended.Status.Phase = core.PodSucceeded
	closed := policy("closed", networking.NetworkPolicySpec{})
	if text := compiled([]*core.Pod{other, host, ended}, true, closed); strings.Contains(text, "10.0.0.") {
		t.Error(text)
	}
}

func TestAPolicyClosesTheDirectionsThatItNamesOrHasRulesFor(t *testing.T) {
	both := []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}
	rules := []networking.NetworkPolicyEgressRule{{}}
	for _, each := range []struct {
		spec            networking.NetworkPolicySpec
		ingress, egress bool
	}{
		{networking.NetworkPolicySpec{}, true, false},
		{networking.NetworkPolicySpec{Egress: rules}, true, true},
		{networking.NetworkPolicySpec{PolicyTypes: both[:1], Egress: rules}, true, false},
		{networking.NetworkPolicySpec{PolicyTypes: both[1:]}, false, true},
		{networking.NetworkPolicySpec{PolicyTypes: both}, true, true},
	} {
		text := compiled([]*core.Pod{podAt("one", "10.0.0.1", nil)}, false, policy("p", each.spec))
		if strings.Contains(text, "goto pods-ingress-0") != each.ingress || strings.Contains(text, "goto pods-egress-0") != each.egress {
			t.Error(each, text)
		}
	}
}

func TestWhomNobodyMatchesIsNotEverybody(t *testing.T) {
	nobody := networking.NetworkPolicyPeer{PodSelector: &meta.LabelSelector{MatchLabels: map[string]string{"no": "body"}}}
	six := networking.NetworkPolicyPeer{IPBlock: &networking.IPBlock{CIDR: "::/0"}}
	port := intstr.FromString("unknown")
	for _, rule := range []networking.NetworkPolicyIngressRule{
		{From: []networking.NetworkPolicyPeer{nobody}},
		{From: []networking.NetworkPolicyPeer{six}},
		{Ports: []networking.NetworkPolicyPort{{Port: &port}}},
	} {
		spec := networking.NetworkPolicySpec{Ingress: []networking.NetworkPolicyIngressRule{rule}}
		text := compiled([]*core.Pod{podAt("one", "10.0.0.1", nil)}, false, policy("p", spec))
		if !strings.Contains(text, "chain ingress-0 {\n\n}") {
			t.Error(text)
		}
	}
}

func TestPortsAreOfTheirProtocol(t *testing.T) {
	udp, sctp := core.ProtocolUDP, core.ProtocolSCTP
	number, name, end := intstr.FromInt32(53), intstr.FromString("http"), int32(60)
	ports := []networking.NetworkPolicyPort{
		{Port: &number}, {Port: &name}, {Protocol: &udp, Port: &number, EndPort: &end}, {Protocol: &sctp},
	}
	found := portMatches(ports, indexOf(Cluster{Pods: []*core.Pod{podAt("one", "10.0.0.1", nil)}}).pods)
	wanted := []string{"tcp dport { 53 } ", "ip daddr . tcp dport { 10.0.0.1 . 8080 } ", "udp dport { 53-60 } ", "meta l4proto 132 "}
	if !slices.Equal(found, wanted) {
		t.Error(found)
	}
}

func TestAPodsAddressIsKnownBeforeTheAPIServerTellsIt(t *testing.T) {
	closed := policy("p", networking.NetworkPolicySpec{})
	for _, early := range []func(*core.Pod, *Cluster){
		func(_ *core.Pod, cluster *Cluster) {
			cluster.Given = map[types.UID]netip.Addr{"uid": netip.MustParseAddr("10.0.0.9")}
		},
		func(pod *core.Pod, _ *Cluster) {
			pod.Annotations = map[string]string{OwnInterface: `[{"eniId":"eni-1","privateIp":"10.0.0.9"}]`}
		},
	} {
		late := podAt("late", "", nil)
		late.UID = "uid"
		cluster := Cluster{Pods: []*core.Pod{late}, Policies: []*networking.NetworkPolicy{closed}}
		early(late, &cluster)
		if text := Compile(cluster, node, false); !strings.Contains(text, "10.0.0.9 : goto pods-ingress-0") || strings.Contains(text, "@known drop") {
			t.Error(text)
		}
	}
}

func TestUnknownAddressesAreClosedWhileASelectedPodIsWithoutOne(t *testing.T) {
	late := podAt("late", "", map[string]string{"app": "late"})
	late.Status.Phase = core.PodPending
	chosen := policy("p", networking.NetworkPolicySpec{PodSelector: meta.LabelSelector{MatchLabels: late.Labels}})
	other := policy("q", networking.NetworkPolicySpec{PodSelector: meta.LabelSelector{MatchLabels: map[string]string{"app": "other"}}})
	pods := []*core.Pod{podAt("one", "10.0.0.1", nil), late}
	if text := compiled(pods, false, other); strings.Contains(text, "@known drop") {
		t.Error(text)
	}
	if text := compiled(pods, false, chosen); strings.Count(text, "@known drop") != 2 {
		t.Error(text)
	}
}
