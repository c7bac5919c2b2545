<?php

// The inbox stores a call before it is answered; work.php does its work afterwards. Each call is a file that is named after its id: a
// repeat finds it there. An empty file is a call whose work is done; delete those that are older than the sender's last retry.

declare(strict_types=1);

/** The folder of the inbox, which is made if it is missing. */
function inbox(): string
{
    $dir = getenv('INBOX') ?: __DIR__ . '/inbox';
    if (!is_dir($dir) && !@mkdir($dir, 0700, true) && !is_dir($dir)) {
        throw new RuntimeException("the inbox $dir cannot be made");
    }
    return $dir;
}

/** Stores a call. Throws if it cannot: PHP then answers 500, and the sender tries again. */
function keep(?string $id, string $body): void
{
    if ($id === null || $id === '') {
        throw new RuntimeException('a call without an id cannot be told from its repeat');
    }
    $file = inbox() . '/' . hash('sha256', $id);
    $part = tempnam(inbox(), 'part');
    if (file_put_contents($part, $body) !== strlen($body)) {
        throw new RuntimeException("$part cannot be written");
    }
    if (!@link($part, $file) && !file_exists($file)) { // whole, or not at all; fails if it is there
        throw new RuntimeException("$file cannot be made");
    }
    unlink($part);
}

/** Reads a call's JSON. PHP refuses half of an emoji (a lone \udXXX), which other languages let through: it becomes U+FFFD. */
function read(string $body): array
{
    $body = preg_replace('/(?<!\\\\)(?:\\\\\\\\)*+\K\\\\ud[89a-f][0-9a-f]{2}/', '\\ufffd', $body);
    return json_decode($body, true, flags: JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING);
}
