import { expect, test } from "vitest";
import { Metrics } from "../../src/metrics.ts";

test("counts are told apart by their labels, in the text Prometheus reads", async () => {
  const metrics = new Metrics();
  const sent = metrics.counter("messages_total", "Messages by outcome.");
  sent.add({ outcome: "sent", kind: "a" });
  sent.add({ outcome: "sent", kind: "a" });
  sent.add({ outcome: "failed", kind: "a" });
  metrics.counter("calls_total", "Calls.").add();
  metrics.gauge("pending", "To do.", async () => [{ labels: { channel: "sms" }, value: 3 }, { value: 0 }]);
  expect(await metrics.text()).toBe(`# HELP messages_total Messages by outcome.
# TYPE messages_total counter
messages_total{outcome="sent",kind="a"} 2
messages_total{outcome="failed",kind="a"} 1
# HELP calls_total Calls.
# TYPE calls_total counter
calls_total 1
# HELP pending To do.
# TYPE pending gauge
pending{channel="sms"} 3
pending 0
`);
});

test("a label holds any text", async () => {
  const metrics = new Metrics();
  metrics.counter("x_total", "X.").add({ text: 'a"b\\c\nd' });
  expect(await metrics.text()).toContain('x_total{text="a\\"b\\\\c\\nd"} 1\n');
});

test("a gauge that cannot be read is left out, and the rest is not", async () => {
  const metrics = new Metrics();
  metrics.gauge("broken", "Broken.", () => Promise.reject(new Error("no database")));
  metrics.gauge("fine", "Fine.", async () => [{ value: 1 }]);
  expect(await metrics.text()).toBe("# HELP fine Fine.\n# TYPE fine gauge\nfine 1\n");
});
