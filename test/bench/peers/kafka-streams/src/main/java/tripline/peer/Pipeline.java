package tripline.peer;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** events → judge, with its three stores → findings. */
final class Pipeline {
  private Pipeline() {}

  static Topology topology(String events, String findings, Rules.Settings settings, long learningMs, Progress progress) {
    return new Topology()
        .addSource("events", new StringDeserializer(), new ByteArrayDeserializer(), events)
        .addProcessor("judge", () -> new Judge(settings, learningMs, progress), "events")
        .addStateStore(store("state", true), "judge")
        .addStateStore(store("timers", true), "judge")
        // Each of its keys is written once: nothing for a cache to fold.
        .addStateStore(store("seen", false), "judge")
        .addSink("findings", findings, new StringSerializer(), new ByteArraySerializer(), "judge");
  }

  private static StoreBuilder<KeyValueStore<String, byte[]>> store(String name, boolean cached) {
    StoreBuilder<KeyValueStore<String, byte[]>> store =
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of());
    return cached ? store.withCachingEnabled() : store.withCachingDisabled();
  }

  static Properties config(Round round) {
    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, round.application);
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, round.brokers);
    config.put(StreamsConfig.STATE_DIR_CONFIG, round.stateDir);
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, round.commitMs);
    // One for each core that it is given, which is one.
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L * 1024 * 1024);
    config.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksTuning.class);
    config.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
    config.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    config.put(StreamsConfig.consumerPrefix("max.poll.records"), 5_000);
    config.put(StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), 4 * 1024 * 1024);
    config.put(StreamsConfig.consumerPrefix("fetch.max.bytes"), 16 * 1024 * 1024);
    config.put(StreamsConfig.producerPrefix("batch.size"), 256 * 1024);
    config.put(StreamsConfig.producerPrefix("compression.type"), round.compression);
    config.put("enable.metrics.push", "false");
    return config;
  }
}
