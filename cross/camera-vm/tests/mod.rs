//! What is shown of cameras that work, misbehave, vanish and come back.

mod controls;
mod faults;
mod formats;
mod program;
mod replug;

/// A name, and what panics if it is not so.
pub type Test = (&'static str, fn());

pub const ALL: &[Test] = &[
    ("formats::the_bars_of_the_kernels_test_camera_have_their_colours", formats::vivid_bars),
    ("formats::a_webcams_pictures_come_whole_in_each_format_and_size", formats::webcam),
    ("formats::a_camera_that_has_only_grey_is_read_and_found_again", formats::infrared),
    ("formats::jpegs_without_huffman_tables_are_completed", formats::bare_jpegs),
    ("faults::after_each_fault_the_pictures_go_on_and_none_is_mixed", faults::each),
    ("faults::truncated_and_damaged_jpegs_are_never_fatal", faults::many),
    ("faults::flat_pictures_that_break_off_are_not_mixed_either", faults::flat),
    ("faults::a_camera_that_sends_nothing_is_noticed_and_recovers", faults::stall),
    ("replug::a_camera_comes_back_ten_times", replug::ten_times),
    ("replug::a_camera_is_found_again_at_another_port", replug::elsewhere),
    ("replug::who_holds_a_busy_camera_is_said", replug::busy),
    ("controls::what_is_set_shows_in_the_picture_and_in_the_list", controls::brightness),
    ("controls::what_was_set_is_set_again_when_the_camera_comes_back", controls::again),
    ("program::the_program_explains_a_camera", program::explains),
    ("program::it_outlives_ten_unplugged_cameras_and_a_frozen_one", program::outlives),
    ("program::a_signal_ends_it_in_each_state", program::ends),
    ("program::a_user_without_permission_is_told_the_group", program::permission),
];
