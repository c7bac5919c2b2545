<?php

// Does the work of the calls in the inbox, once: php work.php (from cron, or a systemd timer). Run one of it at a time.

declare(strict_types=1);
require __DIR__ . '/inbox.php';

foreach (preg_grep('/^[0-9a-f]{64}$/', scandir(inbox())) as $name) {
    $file = inbox() . '/' . $name;
    $body = file_get_contents($file);
    if ($body === '') {
        continue; // it is done
    }
    try {
        work(read($body));
    } catch (Throwable $e) {
        fwrite(STDERR, "$file is left for the next time: {$e->getMessage()}\n");
        continue;
    }
    file_put_contents($file, '');
}

function work(array $call): void
{
    $event = $call['event'] ?? $call['event_type'] ?? $call['type']; // cakemail, cloudcusp, standard
    $email = $call['data']['email'] ?? $call['subscriber']['email'] ?? $call['data']['contact']['email'] ?? '';
    switch ($event) {
        case 'email.bounced':
            // Remove the address from your list.
            echo "Email bounced: $email\n";
            break;
        default:
            echo "$event: $email\n";
    }
}
