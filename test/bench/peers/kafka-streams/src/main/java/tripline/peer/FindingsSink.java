package tripline.peer;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Findings from their topic into Postgres, as Kafka Connect's JDBC sink does in upsert mode: only what is committed is
 * read, a row is written by its key, and a batch that comes again after a crash leaves the same rows.
 */
final class FindingsSink implements Runnable {
  private static final String UPSERT =
      "INSERT INTO findings (id, rule, workspace, subject, occasion, withdrawn, body)"
          + " SELECT f->>'id', f->>'rule', f->>'workspace', f->>'subject', f->>'occasion', f->>'withdrawn', f"
          + " FROM (SELECT ?::jsonb AS f) one"
          + " ON CONFLICT (id) DO UPDATE SET withdrawn = excluded.withdrawn, body = excluded.body";

  private final Round round;
  private final String topic;
  final AtomicLong written = new AtomicLong();
  volatile boolean stopped;

  FindingsSink(Round round, String topic) {
    this.round = round;
    this.topic = topic;
  }

  @Override
  public void run() {
    Properties config = new Properties();
    config.put("bootstrap.servers", round.brokers);
    config.put("group.id", round.application + "-sink");
    config.put("isolation.level", "read_committed");
    config.put("enable.auto.commit", "false");
    config.put("auto.offset.reset", "earliest");
    config.put("fetch.max.wait.ms", "100");
    config.put("enable.metrics.push", "false");
    try (Connection db = connect();
        PreparedStatement upsert = db.prepareStatement(UPSERT);
        KafkaConsumer<String, String> consumer =
            new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      db.setAutoCommit(false);
      consumer.subscribe(List.of(topic));
      while (!stopped) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
        if (records.isEmpty()) continue;
        for (ConsumerRecord<String, String> record : records) {
          upsert.setString(1, record.value());
          upsert.addBatch();
        }
        upsert.executeBatch();
        db.commit();
        consumer.commitSync();
        written.addAndGet(records.count());
      }
    } catch (SQLException error) {
      throw new IllegalStateException(error);
    }
  }

  private Connection connect() throws SQLException {
    Properties properties = new Properties();
    properties.put("user", round.user);
    properties.put("socketFactory", "org.newsclub.net.unix.AFUNIXSocketFactory$FactoryArg");
    properties.put("socketFactoryArg", round.socket);
    properties.put("sslmode", "disable");
    return DriverManager.getConnection("jdbc:postgresql://localhost/" + round.database, properties);
  }
}
