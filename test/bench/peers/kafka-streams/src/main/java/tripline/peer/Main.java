package tripline.peer;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.fory.logging.LoggerFactory;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * The same process serves every round, so that its compiler is warm after the first, which does not count. A line of
 * JSON comes in for each, and one goes out: how long it took from the first record processed, once all tasks were ready,
 * until the offsets of all were committed and every finding stood in Postgres.
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    LoggerFactory.disableLogging();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null; ) {
      Round round = Event.JSON.readValue(line, Round.class);
      System.out.println(Event.JSON.writeValueAsString(play(round)));
    }
    System.exit(0);
  }

  private static Map<String, Object> play(Round round) throws Exception {
    String findings = round.application + "-findings";
    Rules.Settings settings =
        round.settings == null ? new Rules.Settings() : Event.JSON.treeToValue(round.settings, Rules.Settings.class);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", round.brokers, "enable.metrics.push", "false"))) {
      int tasks = admin.describeTopics(List.of(round.topic)).allTopicNames().get().get(round.topic).partitions().size();
      Progress progress = new Progress(tasks);
      admin.createTopics(List.of(new NewTopic(findings, Optional.of(4), Optional.empty()))).all().get();
      FindingsSink sink = new FindingsSink(round, findings);
      Thread sinking = new Thread(sink, "findings-sink");
      Throwable[] failure = new Throwable[1];
      sinking.setUncaughtExceptionHandler((thread, error) -> failure[0] = error);
      sinking.start();
      KafkaStreams streams =
          new KafkaStreams(
              Pipeline.topology(round.topic, findings, settings, round.learningMs, progress), Pipeline.config(round));
      streams.setUncaughtExceptionHandler(
          error -> {
            failure[0] = error;
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
          });
      try {
        streams.start();
        while (progress.judged.get() < round.total) sleep(2, failure);
        if (progress.begunNs == 0)
          throw new IllegalStateException("the topic was read before all tasks were ready: give it more records");
        while (committed(admin, round) < round.total) sleep(2, failure);
        while (sink.written.get() < progress.found.get()) sleep(1, failure);
        double seconds = (System.nanoTime() - progress.begunNs) / 1e9;
        double cpuSeconds = (Progress.cpuNs() - progress.begunCpuNs) / 1e9;
        return Map.of("records", round.total - progress.judgedBefore, "seconds", seconds, "cpuSeconds", cpuSeconds);
      } finally {
        streams.close(Duration.ofSeconds(30));
        streams.cleanUp();
        sink.stopped = true;
        sinking.join();
        List<String> ours = new ArrayList<>();
        for (String topic : admin.listTopics().names().get())
          if (topic.startsWith(round.application)) ours.add(topic);
        admin.deleteTopics(ours).all().get();
      }
    }
  }

  private static long committed(Admin admin, Round round) throws Exception {
    long sum = 0;
    Map<TopicPartition, OffsetAndMetadata> offsets =
        admin.listConsumerGroupOffsets(round.application).partitionsToOffsetAndMetadata().get();
    for (Map.Entry<TopicPartition, OffsetAndMetadata> entry : offsets.entrySet())
      if (entry.getKey().topic().equals(round.topic) && entry.getValue() != null) sum += entry.getValue().offset();
    return sum;
  }

  private static void sleep(long ms, Throwable[] failure) throws InterruptedException {
    if (failure[0] != null) throw new IllegalStateException(failure[0]);
    Thread.sleep(ms);
  }
}
